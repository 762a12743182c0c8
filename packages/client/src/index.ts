export { createChatClient } from './client.ts'
export { type ChatClient, type ContinuationWay, type GatewayStatus } from './chat-client.ts'
export { type ChatSession, type InterruptResult } from './chat-session.ts'
export { type Endpoint } from './connection/request.ts'
export { type SessionExtension, type SessionHandle } from './extension.ts'
export { type ChatMessage, type MessageState, type QueuedMessage } from './message.ts'
export { type ChatClientOptions, type ReconnectOptions, type RequestHeaders, type RequestOptions } from './options.ts'
export { emptySnapshot, type ChatSnapshot, type ChatStatus } from './snapshot.ts'
export { type KeptChat } from './state/kept-chat.ts'
export { streamChat, type StreamChatOptions } from './stream-chat.ts'
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
