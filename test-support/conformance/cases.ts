import dataEvent from './data-event.json' with { type: 'json' }
import emptyStop from './empty-stop.json' with { type: 'json' }
import endWithoutAnything from './end-without-anything.json' with { type: 'json' }
import endWithoutFinish from './end-without-finish.json' with { type: 'json' }
import error from './error.json' with { type: 'json' }
import interrupt from './interrupt.json' with { type: 'json' }
import interruptAfterFinish from './interrupt-after-finish.json' with { type: 'json' }
import interruptAtPosition from './interrupt-at-position.json' with { type: 'json' }
import interruptAtStart from './interrupt-at-start.json' with { type: 'json' }
import interruptBeforeFirstDelta from './interrupt-before-first-delta.json' with { type: 'json' }
import interruptBeforeToolCall from './interrupt-before-tool-call.json' with { type: 'json' }
import interruptBeyondEnd from './interrupt-beyond-end.json' with { type: 'json' }
import interruptInThinking from './interrupt-in-thinking.json' with { type: 'json' }
import interruptInsidePair from './interrupt-inside-pair.json' with { type: 'json' }
import interruptTwice from './interrupt-twice.json' with { type: 'json' }
import length from './length.json' with { type: 'json' }
import lineEnds from './line-ends.json' with { type: 'json' }
import malformed from './malformed.json' with { type: 'json' }
import mergedNeighbours from './merged-neighbours.json' with { type: 'json' }
import ollamaChinese from './ollama-chinese.json' with { type: 'json' }
import ollamaEndWithoutDone from './ollama-end-without-done.json' with { type: 'json' }
import ollamaErrorLine from './ollama-error-line.json' with { type: 'json' }
import ollamaInterrupt from './ollama-interrupt.json' with { type: 'json' }
import ollamaLastLineCut from './ollama-last-line-cut.json' with { type: 'json' }
import ollamaLastLineWithoutEnd from './ollama-last-line-without-end.json' with { type: 'json' }
import ollamaLength from './ollama-length.json' with { type: 'json' }
import ollamaLoad from './ollama-load.json' with { type: 'json' }
import ollamaPlain from './ollama-plain.json' with { type: 'json' }
import ollamaReasonWithoutDone from './ollama-reason-without-done.json' with { type: 'json' }
import ollamaRepeatedLine from './ollama-repeated-line.json' with { type: 'json' }
import ollamaThinkingAndText from './ollama-thinking-and-text.json' with { type: 'json' }
import ollamaToolCall from './ollama-tool-call.json' with { type: 'json' }
import oneRead from './one-read.json' with { type: 'json' }
import plain from './plain.json' with { type: 'json' }
import refused from './refused.json' with { type: 'json' }
import surrogatePairInterrupted from './surrogate-pair-interrupted.json' with { type: 'json' }
import surrogatePairSplit from './surrogate-pair-split.json' with { type: 'json' }
import thinkingBetweenText from './thinking-between-text.json' with { type: 'json' }
import thinkingReset from './thinking-reset.json' with { type: 'json' }
import thinkingThenText from './thinking-then-text.json' with { type: 'json' }
import toolCall from './tool-call.json' with { type: 'json' }

/** Something that happens to a run, in order. Harnesses let the event loop turn, and some time pass, after each. */
export type ConformanceStep =
  /** The upstream's events of one read of its socket; `error` is a code. Only in cases of `events`. */
  | { readonly send: readonly ConformanceEvent[] }
  /** One read of the upstream's body, as text. Only in cases of `ollama`, where harnesses also feed single bytes. */
  | { readonly bytes: string }
  /** The upstream's body ends, with or without evidence. */
  | { readonly end: true }
  /** The connection to the upstream fails, with this code. */
  | { readonly fail: string }
  /** A person interrupts. */
  | { readonly interrupt: { readonly position?: number } }

/** An upstream's event as JSON can hold it. */
export type ConformanceEvent =
  | { readonly message: string }
  | { readonly thinking: string }
  | {
      readonly tool_call: {
        readonly id: string
        readonly name: string
        readonly arguments: Readonly<Record<string, unknown>>
      }
    }
  | { readonly data: { readonly type: string; readonly [key: string]: unknown } }
  | { readonly reset: 'thinking' }
  | { readonly alive: true }
  | { readonly malformed: string }
  | { readonly finish: 'stop' | 'length' | 'tool_calls'; readonly usage?: Readonly<Record<string, number>> }
  | { readonly error: string }

/** What a reader that starts with nothing must have in the end, whenever it came and however it read. */
export interface ConformanceReader {
  /** The position after which it reads. */
  readonly from: number
  readonly content: string
  readonly thinking: string
  /** Tool calls and data, whole, in order. */
  readonly events: readonly unknown[]
  /** The terminal event; of an error only the code, as its words are for people. */
  readonly terminal: Readonly<Record<string, unknown>>
  /** Where it stands: the last position it has, cut back where the terminal event says so. */
  readonly position: number
}

/** One case: what the upstream sent and what people did, and what each reader must have in the end. */
export interface ConformanceCase {
  readonly name: string
  readonly about: string
  readonly upstream: 'events' | 'ollama'
  readonly steps: readonly ConformanceStep[]
  readonly readers: readonly ConformanceReader[]
}

/** Many parsers refuse half a surrogate pair, so the JSON names its UTF-16 units. */
function withText(event: object): object {
  return 'message_units' in event ? { message: String.fromCharCode(...(event.message_units as number[])) } : event
}
const withTexts = (step: object): object => ('send' in step ? { send: (step.send as object[]).map(withText) } : step)

/** Every case; the JSON beside this file is the truth, whatever language reads it. */
export const conformanceCases: readonly ConformanceCase[] = [
  plain,
  oneRead,
  thinkingThenText,
  thinkingBetweenText,
  toolCall,
  dataEvent,
  surrogatePairSplit,
  surrogatePairInterrupted,
  interrupt,
  interruptAtPosition,
  interruptInsidePair,
  interruptBeyondEnd,
  interruptAtStart,
  interruptBeforeFirstDelta,
  interruptInThinking,
  interruptBeforeToolCall,
  interruptAfterFinish,
  interruptTwice,
  length,
  emptyStop,
  thinkingReset,
  mergedNeighbours,
  lineEnds,
  malformed,
  error,
  refused,
  endWithoutFinish,
  endWithoutAnything,
  ollamaPlain,
  ollamaChinese,
  ollamaThinkingAndText,
  ollamaToolCall,
  ollamaLength,
  ollamaErrorLine,
  ollamaEndWithoutDone,
  ollamaLastLineCut,
  ollamaLastLineWithoutEnd,
  ollamaReasonWithoutDone,
  ollamaLoad,
  ollamaRepeatedLine,
  ollamaInterrupt,
].map((one) => Object.assign(one, { steps: one.steps.map(withTexts) }) as unknown as ConformanceCase)
