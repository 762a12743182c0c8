import { ChatError, type ChatErrorCode } from '../wire/errors.ts'
import { isRecord, text, type Json } from '../wire/json.ts'
import { crashWords } from './crash-words.ts'

/** What an error's words mean, as `#code type message`; the first line that fits counts. Words are those of real servers. */
const meanings: readonly (readonly [RegExp, ChatErrorCode])[] = [
  [/exceed_context_size|context (size|length|window)|maximum context|context_length_exceeded/i, 'upstream_rejected'],
  [/content_filter|data_inspection_failed|insufficient_quota|insufficient balance/i, 'upstream_rejected'],
  [
    /^#(429|503|529) |overloaded|rate_?limit|unavailable_error|loading model|server busy|insufficient_system/i,
    'upstream_busy',
  ],
  [/^#(502|504) /, 'upstream_unreachable'],
  [crashWords, 'upstream_crashed'],
  [/model_not_found/i, 'upstream_model_missing'],
  [/^#4\d\d |invalid_?request|invalid_?parameter|badrequest|authentication|permission/i, 'upstream_rejected'],
]

const sentences: Partial<Record<ChatErrorCode, string>> = {
  upstream_busy: 'The model server is busy.',
  upstream_unreachable: 'The model server cannot be reached.',
  upstream_rejected: 'The model server refused to go on with its reply.',
  upstream_model_missing: 'The model server does not have the model.',
}
const passing: ReadonlySet<ChatErrorCode> = /* @__PURE__ */ new Set<ChatErrorCode>([
  'upstream_busy',
  'upstream_unreachable',
  'upstream_crashed',
  'upstream_failed',
])

/**
 * The error that a server said inside its stream: `{"error":{…}}`, `{"error":"…"}`, or a flat `{"object":"error",…}`. Its
 * words are the cause, and nothing else.
 */
export function bandError(frame: Json): ChatError {
  const given = frame['error'] || frame
  const words = isRecord(given) ? `#${code(given)} ${text(given['type'])} ${text(given['message'])}` : text(given)
  const found = meanings.find(([meaning]) => meaning.test(words))?.[1] ?? 'upstream_failed'
  const message = sentences[found] ?? 'The model server failed in the middle of its reply.'
  return new ChatError(found, message, { cause: JSON.stringify(given).slice(0, 8_192), retryable: passing.has(found) })
}

const code = (error: Json): string => (typeof error['code'] === 'number' ? String(error['code']) : text(error['code']))

/** Whether a frame is an error. DashScope's own kind has neither `error` nor `object`, but the event `error`. */
export function isBandError(frame: Json, event: string | undefined): boolean {
  if (frame['error']) return true
  if (frame['choices'] !== undefined) return false
  return frame['object'] === 'error' || frame['type'] === 'error' || event === 'error'
}

/** Finish reasons that say that the reply is not whole. */
const failures: Readonly<Record<string, ChatErrorCode>> = {
  error: 'upstream_failed',
  insufficient_system_resource: 'upstream_busy',
  abort: 'upstream_incomplete',
  content_filter: 'upstream_rejected',
}

/** @returns undefined for a reason that ends a whole reply. */
export function finishError(reason: string): ChatError | undefined {
  const found = Object.hasOwn(failures, reason) ? failures[reason] : undefined
  if (!found) return undefined
  const message =
    reason === 'content_filter'
      ? 'The filter of the model server ended the reply.'
      : 'The model server ended its reply before it was whole.'
  return new ChatError(found, message, {
    cause: `finish_reason ${reason}`,
    retryable: found !== 'upstream_rejected',
  })
}
