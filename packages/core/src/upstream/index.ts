export { anthropic, type AnthropicOptions } from './anthropic.ts'
export {
  breakerDefaults,
  breakerStart,
  breakerWaitMs,
  stepBreaker,
  type BreakerInput,
  type BreakerOptions,
  type BreakerPolicy,
  type BreakerState,
} from './breaker.ts'
export {
  dialects,
  type AnswerFacts,
  type Dialect,
  type DialectName,
  type HistoryNeeds,
  type NativeContinuation,
  type ThinkSwitch,
  type UpstreamErrorCode,
} from './dialects.ts'
export { fetchTransport, type FetchTransportOptions } from './fetch-transport.ts'
export { missingRequest, missingResult, normaliseHistory, type HistoryOptions } from './history.ts'
export { ollama, type OllamaOptions } from './ollama.ts'
export { openaiCompatible, type OpenAiCompatibleOptions } from './openai.ts'
export { continueInstruction } from './openai-body.ts'
export { missingQuestion, missingReply } from './openai-messages.ts'
export { route, type Route, type RouteOptions } from './route.ts'
export { modelNames, type Residency } from './residency.ts'
export { type Transport, type TransportRequest, type TransportResponse } from './transport.ts'
export {
  type Continuation,
  type Upstream,
  type UpstreamEvent,
  type UpstreamRequest,
  type UpstreamStatus,
} from './upstream.ts'
