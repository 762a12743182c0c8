export { backoffMs } from './run/backoff.ts'
export { systemClock, type Clock, type StageOptions } from './clock.ts'
export type { LogEntry, Partial, ReadLog } from './run/log-view.ts'
export { createRunLog, type RunLog } from './run/run-log.ts'
export type { InterruptOutcome } from './run/run.ts'
export {
  coalesceDefaults,
  coalesceDueAt,
  coalesceSent,
  coalesceStart,
  type CoalesceOptions,
  type CoalesceState,
} from './read/coalesce.ts'
export { heartbeatDefaults, heartbeatDueAt, ping, type HeartbeatOptions } from './read/heartbeat.ts'
export {
  fuseDefaults,
  fuseDueAt,
  fuseInput,
  startFuse,
  stepFuse,
  type FuseInput,
  type FuseOptions,
  type FusePolicy,
  type FuseState,
} from './run/fuse.ts'
export { coalesce } from './transforms/coalesce.ts'
export { fuse } from './transforms/fuse.ts'
export { heartbeat } from './transforms/heartbeat.ts'
export { version } from './version.ts'
export {
  ChatError,
  isChatError,
  toErrorBody,
  type ChatErrorCode,
  type ChatErrorOptions,
  type ErrorBody,
  type RequestLimits,
} from './wire/errors.ts'
export type * from './wire/events.ts'
export { createId, isId, systemRandom, type IdKind, type RandomBytes } from './wire/ids.ts'
export {
  parseChatRequest,
  parseInterrupt,
  type ChatRequest,
  type ChatTurn,
  type MessageLimits,
  type Role,
  type ToolDefinition,
} from './wire/messages.ts'
export {
  createLineDecoder,
  ndjsonDecode,
  parseLine,
  type LineDecoder,
  type LineDecoderOptions,
  type NdjsonLine,
} from './wire/ndjson.ts'
export {
  createSseDecoder,
  encodeSse,
  sseDecode,
  type SseDecoder,
  type SseDecoderOptions,
  type SseFrame,
} from './wire/sse.ts'
