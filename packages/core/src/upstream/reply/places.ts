import { isRecord, list, record, text, type Json } from '../../wire/json.ts'

/** Names of a text in a delta or a message. */
const inDelta = ['content', 'text', 'output_text', 'value', 'response'] as const
/** Names of a text beside these, in a choice or in a frame without choices. */
const inAnswer = [
  'text',
  'response',
  'content',
  'output_text',
  'generated_text',
  'completion',
  'output',
  'answer',
  'generation',
] as const
/** What a frame may be wrapped in. */
const wrappers = ['output', 'data', 'result', 'response', 'payload', 'chunk', 'body'] as const
const parts = ['choices', 'delta', 'message', 'text', 'content', 'response', 'output_text', 'generated_text'] as const

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
}

function firstOf(place: Json, names: readonly string[]): unknown {
  for (const name of names) if (!isEmpty(place[name])) return place[name]
  return undefined
}

/** A delta, or a message, as an object, also where it is its text. */
export function asDelta(given: unknown): Json {
  return typeof given === 'string' || Array.isArray(given) ? { content: given } : record(given)
}

/** The content of a delta or a message, under whatever name. */
export function contentOf(delta: Json): unknown {
  return isEmpty(delta['content']) ? firstOf(delta, inDelta) : delta['content']
}

/** The content that stands in a choice, or in a frame without choices, beside delta and message. */
export function contentBeside(answer: Json): unknown {
  const { token, messages } = answer
  // Text Generation Inference: a token in each frame, and all of the text in the last one.
  if (isRecord(token)) return token['special'] === true ? undefined : token['text']
  if (typeof token === 'string' && token !== '') return token
  const found = firstOf(answer, inAnswer)
  if (found !== undefined) return found
  const replies = list(messages).filter((one) => /^(?:|assistant|ai|bot|model)$/.test(text(record(one)['role'])))
  return replies.map((one) => contentOf(asDelta(one)))
}

/** What says the whole of a reply again, where it was said in pieces. */
export function wholeOf(answer: Json): unknown {
  const { message, generated_text: generated, token } = answer
  return isRecord(token) ? generated : contentOf(asDelta(message))
}

/** The object in which the reply stands, where a frame wraps one. */
export function unwrapped(frame: Json): Json {
  if (parts.some((name) => name in frame && typeof frame[name] === 'object' && frame[name] !== null)) return frame
  for (const name of wrappers) {
    const inner = frame[name]
    if (isRecord(inner) && parts.some((part) => part in inner)) return inner
  }
  return frame
}

/**
 * What a frame says that has a type, as events of other kinds have: of those that are a piece of a text, that.
 * @returns undefined for an event that is no piece of a reply.
 */
export function typedDelta(frame: Json): Json | undefined {
  const type = text(frame['type'])
  if (/argument|function|tool|audio|annotation|image/i.test(type)) return undefined
  const said = firstOf(frame, ['delta', 'text', 'content', 'token', 'data', 'value'])
  if (/(?:reasoning|thinking|thought|summary)\w*[._]delta$/i.test(type)) return { thinking: said }
  return /(?:^|[._])(?:text|content|message|block|refusal)?[._]?delta$|^(?:text|content|token|chunk|answer)s?$/i.test(
    type,
  )
    ? asDelta(said)
    : undefined
}
