export { useChatStream, type UseChatStreamOptions, type UseChatStreamResult } from './use-chat-stream.ts'
export { createChatClient } from '@midstream/client'
export type {
  ChatClient,
  ChatClientOptions,
  ChatMessage,
  ChatSession,
  ChatSnapshot,
  ChatStatus,
  InterruptResult,
  MessageState,
} from '@midstream/client'
