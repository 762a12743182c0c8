export { anthropic, type AnthropicOptions } from './anthropic/anthropic.ts'
export {
  breakerDefaults,
  breakerStart,
  breakerWaitMs,
  stepBreaker,
  type BreakerInput,
  type BreakerOptions,
  type BreakerPolicy,
  type BreakerState,
} from '../pool/breaker.ts'
export {
  type AnswerFacts,
  type Dialect,
  type DialectName,
  type HistoryNeeds,
  type NativeContinuation,
  type ThinkSwitch,
} from './openai/dialect.ts'
export { dialects } from './openai/dialects.ts'
export { eventsOf } from './events-of.ts'
export { fromIterable, type IterableUpstream } from './from-iterable.ts'
export { fetchTransport, type FetchTransportOptions } from './http/fetch-transport.ts'
export {
  missingQuestion,
  missingRequest,
  lostResult,
  missingResult,
  normaliseHistory,
  type HistoryOptions,
} from './history/history.ts'
export { ollama, type OllamaOptions } from './ollama/ollama.ts'
export type { OptionNames } from './option-names.ts'
export { openaiCompatible, type OpenAiCompatibleOptions } from './openai/openai.ts'
export { continueInstruction } from './history/continuation.ts'
export { missingReply } from './openai/messages.ts'
export { route, type Route, type RouteOptions } from '../pool/route.ts'
export { modelNames, type Residency } from './reply/residency.ts'
export { type Transport, type TransportHead, type TransportRequest, type TransportSink } from './http/transport.ts'
export {
  type Continuation,
  type Upstream,
  type UpstreamEvent,
  type UpstreamRequest,
  type UpstreamSink,
  type UpstreamStatus,
} from './upstream.ts'
export type { UpstreamErrorCode } from '../wire/errors.ts'
