export {
  dialects,
  type Dialect,
  type DialectName,
  type HistoryNeeds,
  type NativeContinuation,
  type ThinkSwitch,
} from './dialects.ts'
export { fetchTransport } from './fetch-transport.ts'
export { missingResult, normaliseHistory } from './history.ts'
export { modelNames, ollama, type OllamaOptions } from './ollama.ts'
export { openaiCompatible, type OpenAiCompatibleOptions } from './openai.ts'
export { continueInstruction } from './openai-body.ts'
export { missingReply } from './openai-messages.ts'
export { type Transport, type TransportRequest, type TransportResponse } from './transport.ts'
export {
  type Continuation,
  type Upstream,
  type UpstreamEvent,
  type UpstreamRequest,
  type UpstreamStatus,
} from './upstream.ts'
