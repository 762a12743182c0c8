import { ChatError, type ChatErrorCode } from '../../wire/errors.ts'
import type { FinishReason } from '../../wire/events.ts'
import { isRecord, type Json } from '../../wire/json.ts'
import { once } from '../../once.ts'
import { mayPass } from '../http/error-meaning.ts'
import { unprovenReply } from './reply-errors.ts'

/**
 * What a finish reason can mean: an end, an error, or nothing yet. `filter` is a refusal, and `cut` an end before the reply was
 * whole that would come again.
 */
type Meaning = FinishReason | 'none' | 'filter' | 'cut' | UpstreamFailure
type UpstreamFailure =
  | 'upstream_failed'
  | 'upstream_busy'
  | 'upstream_crashed'
  | 'upstream_incomplete'
  | 'upstream_malformed'

/**
 * The finish reasons of all known servers, as {@link plain} writes them. OpenAI's kind, Ollama's and Anthropic's have one
 * table, because proxies pass the reasons of one kind on in the frames of another.
 */
const table: Readonly<Record<Meaning, string>> = {
  // Said with every chunk by servers that have no null (watsonx, Gemini's enum).
  none: 'null none undefined unspecified not_finished unfinished in_progress generating',
  stop:
    'stop stopped end ended eos eos_id eos_token eos_token_id eos_found eot eot_token end_turn end_of_turn end_of_text stop_sequence ' +
    'stop_string stop_string_found stop_token stop_token_id stop_word stop_words stop_criteria stop_criteria_met stopped_eos stopped_word word ' +
    'complete completed done finish finished normal success succeeded ' +
    // Tokens by which models end, `<|im_end|>` and `</s>` among them.
    'im_end endoftext end_of_sentence end_of_message end_of_utterance end_of_turn_token eot_id eom eom_id eod eod_id return s',
  length:
    'length max_tokens max_token max_length max_new_tokens max_output_tokens max_completion_tokens max_predicted_tokens_reached model_length ' +
    'token_limit limit stopped_limit length_limit max_output context model_context_window_exceeded context_length context_length_reached context_length_exceeded ' +
    'context_window_exceeded max_len max_length_reached',
  tool_calls: 'tool_calls tool_call tool_use function_call function_calls call',
  filter:
    'content_filter content_filtered content_filter_blocked content_policy_violation filter filtered sensitive safety refusal refused ' +
    'recitation language blocklist blocked prohibited_content spii guardrail guardrail_intervened guardrails moderation error_toxic ' +
    'data_inspection_failed image_safety image_prohibited_content image_recitation model_armor',
  // vLLM and others end a reply that says the same again and again: it would do so again. A server that counts calls, too.
  cut:
    'repetition repetition_truncation repetition_detected repeat compaction too_many_tool_calls max_tool_calls error_limit other ' +
    'image_other no_image',
  upstream_failed: 'error failed failure server_error internal_error model_error model_failed',
  upstream_busy: 'insufficient_system_resource insufficient_system_resources overloaded engine_overloaded rate_limit',
  upstream_crashed: 'model_unloaded engine_dead',
  // Somebody hung up, or Anthropic waits to be asked again: the same question may be answered to its end.
  upstream_incomplete:
    'network_error abort aborted cancel cancelled canceled user_cancel user_cancelled user_stopped interrupted disconnected preempted ' +
    'time_limit timeout timed_out deadline_exceeded pause_turn incomplete',
  upstream_malformed:
    'malformed_function_call malformed_tool_call malformed_tool_use malformed_model_output malformed_response unexpected_tool_call ' +
    'missing_thought_signature invalid_tool_call',
}

/** What a dialect knows of its reasons. */
type OwnReasons = Readonly<Record<string, FinishReason | ChatErrorCode>>

const meanings = /* @__PURE__ */ once<ReadonlyMap<string, Meaning>>(
  () =>
    new Map(
      (Object.entries(table) as [Meaning, string][]).flatMap(([meaning, words]) =>
        words.split(' ').map((word) => [word, meaning] as const),
      ),
    ),
)

/** `FinishReason.MAX_TOKENS`, `maxTokens` and `max tokens` are one reason. */
function plain(reason: string): string {
  return reason
    .slice(0, 100)
    .trim()
    .replace(/^(?:finish_?)?reason[._]/i, '')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/[^a-zA-Z]+/g, '_')
    .replace(/^_|_$/g, '')
    .toLowerCase()
}

const names = ['finish_reason', 'finishReason', 'finish_details', 'stop_reason', 'stopReason', 'done_reason'] as const
/** The reason as the server behind a proxy gave it (OpenRouter). */
const nativeNames = ['native_finish_reason', 'nativeFinishReason'] as const
/** What of a reason that is an object names it. */
const labels = ['type', 'reason', 'name', 'value', 'finish_reason'] as const

/**
 * The finish reason of a frame, in the first of these places that gives one: most servers have it in the choice, others in its
 * delta or beside the choices, and in letters of their own.
 * @param own - What the dialect knows of its reasons.
 * @returns Its words; empty for none.
 */
export function reasonIn(places: readonly Json[], own?: OwnReasons): string {
  const words = firstReason(places, names, own)
  if (words !== '' && !isStop(words, own)) return words
  const native = firstReason(places, nativeNames, own)
  if (words === '' || native === '') return words || native
  // Proxies call every end that they do not know a stop: a reason that is known to be worse counts.
  const ending = endingOf(native, own)!
  return 'error' in ending ? (ending.isKnown ? native : words) : ending.finish === 'length' ? native : words
}

function isStop(words: string, own?: OwnReasons): boolean {
  const ending = endingOf(words, own)
  return ending !== undefined && 'finish' in ending && ending.finish === 'stop'
}

function firstReason(places: readonly Json[], fields: readonly string[], own?: OwnReasons): string {
  for (const place of places)
    for (const name of fields) {
      const given = place[name]
      const words = given === undefined || given === null ? '' : reasonWords(given)
      if (words !== '' && endingOf(words, own)) return words
    }
  return ''
}

/** What a reason says, which may be an object or a list. A number says what only its server knows, but for 0, which is none. */
function reasonWords(given: unknown, depth = 0): string {
  if (typeof given === 'string') return given
  if (Array.isArray(given))
    return depth > 2 ? '' : (given.map((one) => reasonWords(one, depth + 1)).find((words) => endingOf(words)) ?? '')
  if (given === true || (typeof given === 'number' && given !== 0)) return `${given}`
  if (!isRecord(given)) return ''
  const label = labels.find((name) => given[name] !== undefined)
  if (label !== undefined && depth <= 2) return reasonWords(given[label], depth + 1)
  return Object.keys(given).length === 0 ? '' : `object of ${Object.keys(given).join(', ').slice(0, 100)}`
}

/**
 * How a reply ended. An error stands until a later chunk says how it really ended only where nobody knows the reason: an unknown
 * reason is no `stop`, because it may be a failure, and the text is kept.
 */
export type Ending = { readonly finish: FinishReason } | { readonly error: ChatError; readonly isKnown: boolean }

/**
 * What a finish reason means.
 * @param own - What the dialect knows of its reasons: it goes before what is known of all.
 * @returns undefined where it is no reason: the reply goes on.
 */
export function endingOf(reason: string, own: OwnReasons = {}): Ending | undefined {
  // Most chunks have none.
  if (reason === '') return undefined
  const found = Object.hasOwn(own, reason)
    ? own[reason]!
    : reason.trim() === ''
      ? 'none'
      : meanings().get(plain(reason))
  const cause = `finish_reason ${reason.slice(0, 200)}`
  switch (found) {
    case 'none':
      return undefined
    case 'stop':
    case 'length':
    case 'tool_calls':
      return { finish: found }
    case 'filter':
      return {
        error: new ChatError('upstream_rejected', 'The filter of the model server ended the reply.', { cause }),
        isKnown: true,
      }
    case undefined:
    case 'cut':
      return { error: unprovenReply(cause), isKnown: found !== undefined }
    default: {
      const message = 'The model server ended its reply before it was whole.'
      return { error: new ChatError(found, message, { cause, retryable: mayPass(found) }), isKnown: true }
    }
  }
}
