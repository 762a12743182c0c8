import type { EndReason } from '../model/generate.ts'
import type { Message } from '../model/prompt.ts'

/** What a generation is asked for. */
export interface RunRequest {
  readonly messages: readonly Message[]
  readonly maxTokens: number
  readonly context: number
  readonly temperature: number
  readonly topK: number
  /** Makes the answer repeatable; null draws anew every time. */
  readonly seed: number | null
  readonly stops: readonly string[]
}

/** What a generation cost. Durations in ns. */
export interface RunUsage {
  readonly promptTokens: number
  readonly promptNs: number
  /** Tokens made, with the end token. */
  readonly tokens: number
  readonly tokensNs: number
}

/** What the server's thread tells the worker. */
export type ToWorker =
  | { readonly type: 'start'; readonly id: number; readonly request: RunRequest }
  | { readonly type: 'abort'; readonly id: number }

/** What the worker answers. Each id gets deltas, then exactly one `end` or `fault`. */
export type FromWorker =
  | { readonly type: 'delta'; readonly id: number; readonly text: string }
  | { readonly type: 'end'; readonly id: number; readonly reason: EndReason | 'aborted'; readonly usage: RunUsage }
  | { readonly type: 'fault'; readonly id: number; readonly message: string }

/** What the worker is told when it is made. */
export interface WorkerOptions {
  readonly tokensPerSecond: number
}
