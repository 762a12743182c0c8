import { ChatError, type ChatErrorCode } from '../../wire/errors.ts'
import { crashWords } from './crash-words.ts'
import type { AnswerFacts } from '../openai/dialects.ts'

/** How much of an error's words counts, UTF-16 code units. */
const maxSaid = 8_192

/** What an error's words mean, as `#status words`; the first line that fits counts. Words are those of real servers. */
const meanings: readonly (readonly [RegExp, ChatErrorCode])[] = [
  [/content_filter|data_inspection_failed/i, 'upstream_rejected'],
  // A bare 403 may be a filter's. With other statuses the words may be an echo of the request, or of somebody else's trouble.
  [
    /^#40[12]\b|^#(?!5|4(?!03|29)).*((authentication|permission)_?error|billing_error|insufficient_quota|insufficient balance)/is,
    'upstream_unauthorized',
  ],
  // 529 is Anthropic's word for being overloaded.
  [/^#(429|503|529)\b/, 'upstream_busy'],
  // What a proxy says when there is nobody behind it, or nobody who answers.
  [/^#(408|502|504)\b|^# timeout_error/, 'upstream_unreachable'],
  // Servers name the model, in whatever words; a wrong path names none, and would send people looking for the model.
  [/model_not_found|^#404 .*model|^# not_found_error/is, 'upstream_model_missing'],
  [
    /^#[1-4]\d\d\b|exceed_context_size|context (size|length|window)|maximum context|context_length/i,
    'upstream_rejected',
  ],
  [/overloaded|rate_?limit|unavailable_error|loading model|server busy|insufficient_system/i, 'upstream_busy'],
  [crashWords, 'upstream_crashed'],
  [
    // Of a 5xx the server takes the blame, whatever words stand there.
    /^#(?!5).*(invalid_?request|invalid_?parameter|badrequest|request_too_large|conflict_error)/is,
    'upstream_rejected',
  ],
]

/**
 * What a server's error means, wherever it was said: in an answer that is not 200, or inside a stream.
 * @param status - Of HTTP, or what stands for it.
 * @param own - What the dialect knows of its words: it goes before what is known of all.
 */
export function meaningOf(status: number | string, said: string, own: AnswerFacts['errors'] = []): ChatErrorCode {
  // A server may say the whole prompt again: what it means stands at the beginning. Not `test`: an app's own may be global.
  const brief = `#${status} ${said.slice(0, maxSaid)}`
  return [...own, ...meanings].find(([words]) => brief.search(words) >= 0)?.[1] ?? 'upstream_failed'
}

/** What may be said of an error, in whatever words it came. */
export const sentences: Partial<Record<ChatErrorCode, string>> = {
  upstream_busy: 'The model server is busy.',
  upstream_unreachable: 'The model server cannot be reached.',
  upstream_rejected: 'The model server refused to go on with its reply.',
  upstream_unauthorized: 'The model server refuses the key, or its account.',
  upstream_model_missing: 'The model server does not have the model.',
}

/** The error that a server said inside its stream. Its words are the cause, and nothing else. */
export function saidError(code: ChatErrorCode, said: string): ChatError {
  return new ChatError(code, sentences[code] ?? 'The model server failed in the middle of its reply.', {
    cause: said.slice(0, maxSaid),
    retryable: mayPass(code),
  })
}

/** Whether the same request may succeed later. */
export function mayPass(code: ChatErrorCode): boolean {
  return code !== 'upstream_rejected' && code !== 'upstream_unauthorized' && code !== 'upstream_model_missing'
}
