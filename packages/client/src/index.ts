export { emptySnapshot, type KeptChat } from './chat-state.ts'
export { createChatClient } from './client.ts'
export { streamChat, type StreamChatOptions } from './stream-chat.ts'
export {
  type ChatClient,
  type ChatClientOptions,
  type ChatMessage,
  type ChatSession,
  type ChatSnapshot,
  type ChatStatus,
  type ContinuationWay,
  type GatewayStatus,
  type InterruptResult,
  type QueuedMessage,
  type MessageState,
  type ReconnectOptions,
  type RequestOptions,
  type SessionExtension,
  type SessionHandle,
} from './types.ts'
export { type Endpoint } from './connection.ts'
export {
  ChatError,
  isChatError,
  type ChatErrorCode,
  type ChatEvent,
  type ChatTurn,
  type ErrorBody,
  type Progress,
  type StatusEvent,
  type ToolCall,
  type Usage,
} from '@midstream/core'
