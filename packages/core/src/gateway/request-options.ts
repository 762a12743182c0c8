import { ChatError } from '../wire/errors.ts'
import { isRecord, type Json } from '../wire/json.ts'
import type { ChatRequest } from '../wire/messages.ts'
import type { GatewayPolicy } from './options.ts'

/** What a number may be, as all servers understand it. Outside of that some fail (HTTP 500), or answer with nonsense. */
interface Range {
  readonly least: number
  readonly most: number
  readonly isWhole?: true
}
const tokens = 10_000_000
const whole = (least: number, most: number): Range => ({ least, most, isWhole: true })
const seeds = whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
const limit = whole(1, tokens)
/** Ollama's and llama.cpp's -1 and -2 are no limits. */
const openLimit = whole(-2, tokens)
const share: Range = { least: 0, most: 1 }
const penalty: Range = { least: -2, most: 2 }
const factor: Range = { least: 0, most: 10 }
const count = whole(0, 1_000)

const ranges: ReadonlyMap<string, Range> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ Object.entries({
    temperature: { least: 0, most: 5 },
    top_p: share,
    // 0 and -1 are no limit.
    top_k: whole(-1, 1_000_000),
    top_a: share,
    min_p: share,
    typical_p: share,
    tfs_z: factor,
    seed: seeds,
    random_seed: seeds,
    presence_penalty: penalty,
    frequency_penalty: penalty,
    repeat_penalty: factor,
    repetition_penalty: factor,
    length_penalty: { least: -10, most: 10 },
    repeat_last_n: whole(-1, tokens),
    max_tokens: limit,
    max_completion_tokens: limit,
    num_predict: openLimit,
    n_predict: openLimit,
    num_ctx: limit,
    num_keep: whole(-1, tokens),
    min_tokens: whole(0, tokens),
    min_new_tokens: whole(0, tokens),
    mirostat: whole(0, 2),
    mirostat_tau: { least: 0, most: 100 },
    mirostat_eta: share,
    top_logprobs: count,
    n: count,
    best_of: count,
  } satisfies Record<string, Range>),
)

/** Most entries of a list, as of `stop`. */
const maxEntries = 64
/** Longest string in an option, and longest name, UTF-16 code units. */
const maxChars = 1_024

/**
 * The `options` of a request, checked; null counts as absent. A server that gets one that it cannot read may well say that it has
 * failed itself (Ollama answers 500 to `temperature: "hot"`), and nobody could tell.
 * @throws {ChatError} `bad_request`, naming the option.
 */
export function checkedOptions(options: Json): Json {
  const set = Object.entries(options).filter(([, value]) => value !== null)
  for (const [name, value] of set) {
    const wanted = name.length > maxChars ? 'called by a shorter name' : missing(name, value)
    if (wanted) throw new ChatError('bad_request', `options.${name.slice(0, 64)} must be ${wanted}.`)
  }
  return Object.fromEntries(set)
}

/** What a value should be and is not; undefined when it is right. */
function missing(name: string, value: unknown): string | undefined {
  const range = ranges.get(name)
  if (range) return isIn(range, value) ? undefined : rangeWords(range)
  if (name === 'stop') {
    const texts: unknown[] = Array.isArray(value) ? value : [value]
    const isRight = texts.length <= maxEntries && texts.every((text) => isText(text) && text !== '')
    return isRight ? undefined : `a string or at most ${maxEntries} strings, none of them empty`
  }
  // What an app lets through besides is its own: a JSON Schema, say. How deep it nests is bounded with the whole body.
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  const isRight = values.length <= maxEntries && values.every((one) => isScalar(one) || isRecord(one))
  return isRight ? undefined : `a number, a boolean, a string, an object, or at most ${maxEntries} of them`
}

function isIn({ least, most, isWhole }: Range, value: unknown): boolean {
  return typeof value === 'number' && value >= least && value <= most && (!isWhole || Number.isInteger(value))
}
const rangeWords = ({ least, most, isWhole }: Range): string =>
  `a ${isWhole ? 'whole number' : 'number'} from ${least} to ${most}`

const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= maxChars
const isScalar = (value: unknown): boolean =>
  isText(value) || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))

/** What a browser may not choose, it may not choose here either: the model, its cost, the system prompt. */
export function allowed(
  chat: ChatRequest,
  { targets, requestOptions, requestTools, requestThink, system, prepare }: GatewayPolicy,
): ChatRequest {
  if (chat.model !== undefined && !targets.byModel.has(chat.model)) {
    throw new ChatError('model_not_allowed', 'This gateway does not offer that model.')
  }
  if (chat.tools && !requestTools) throw new ChatError('option_not_allowed', 'tools may not be set.')
  if (chat.think !== undefined && !requestThink) throw new ChatError('option_not_allowed', 'think may not be set.')
  const option = Object.keys(chat.options ?? {}).find((name) => !requestOptions.has(name))
  if (option !== undefined) throw new ChatError('option_not_allowed', `options.${option.slice(0, 64)} may not be set.`)
  if ((system !== undefined || prepare) && chat.messages.some(({ role }) => role === 'system')) {
    throw new ChatError('bad_request', 'System messages are set by the gateway.')
  }
  return chat.options ? { ...chat, options: checkedOptions(chat.options) } : chat
}
