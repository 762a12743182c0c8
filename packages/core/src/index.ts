export { backoffMs } from './run/backoff.ts'
export { systemClock, type Clock, type StageOptions } from './clock.ts'
export type { LogEntry, LogView, Partial, ReadLog } from './run/log-view.ts'
export { createRunLog, type RunLog } from './run/run-log.ts'
export { pullFrames, type FrameReader } from './read/pull-frames.ts'
export { createReader, type FrameSink, type Reader, type ReaderOptions } from './read/reader.ts'
export { recoveryDefaults, type RecoveryOptions } from './run/recovery.ts'
export type { Failover, Successor } from './pool/failover.ts'
export { type GenerationOptions, type Question } from './run/generation.ts'
export { type InterruptOutcome, type Run, type RunOptions } from './run/run.ts'
export { startRun, type StartRunOptions } from './run/start-run.ts'
export { runStart, stepRun, type RunInput, type RunState } from './run/run-state.ts'
export { createRunCache, keepDefaults, type KeepOptions, type KeptRun, type RunCache } from './gateway/run-cache.ts'
export { digestOf, isSameConversation, type Digest } from './session/digest.ts'
export {
  claimSession,
  releaseSession,
  type Claim,
  type Claimed,
  type LastRun,
  type Session,
} from './session/session.ts'
export { createSessionCache, sessionDefaults, type SessionCache, type SessionOptions } from './session/session-cache.ts'
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
