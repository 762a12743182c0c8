import type { ChatTurn, ToolDefinition } from '../../wire/messages.ts'
import type { Dialect } from './dialect.ts'
import { withToldChoice } from '../history/call-names.ts'
import { missingRequest } from '../history/history.ts'
import { isRecord, text, type Json } from '../../wire/json.ts'
import { namedOptions, type OptionNames } from '../option-names.ts'
import { withinLength } from '../reply/length-limit.ts'
import { openAiMessages } from './messages.ts'
import type { AskedRequest, ContinuationWay } from '../reply/ways.ts'

/** One request to `/chat/completions`. */
export interface OpenAiQuestion {
  readonly body: Json
  /** The partial as the server has it: what it may say again. Empty for a reply from the start. */
  readonly sent: string
  /** White space at the end of the partial, which did not go up. */
  readonly tail: string
}

/**
 * The body of `POST /chat/completions`. Later lines win: what an app sets never changes what the gateway relies on.
 * @param extra - Fields that the app wants in every request.
 */
export function openAiQuestion(
  request: AskedRequest,
  dialect: Dialect,
  options: {
    readonly way: ContinuationWay
    readonly instruction: string
    readonly extra: Json
    readonly from?: string | undefined
    readonly names?: OptionNames | undefined
  },
): OpenAiQuestion {
  // Trailing white space makes a model diverge, and some servers drop it silently.
  const begun = request.prefill.trimEnd()
  const isNative = begun !== '' && options.way === 'native'
  const turns: readonly ChatTurn[] =
    begun === '' ? request.messages : [...request.messages, { role: 'assistant', content: begun }]
  const needs = request.wantsThinking ? { thinkingOfTools: 'reasoning_content', ...dialect.history } : dialect.history
  const messages = openAiMessages(turns, request.interruptedNote, needs, options.from)
  const sent = begun === '' ? '' : text(messages.at(-1)?.['content'])
  if (isNative) messages.push({ ...messages.pop(), ...dialect.continuation?.message })
  else if (messages.at(-1)?.['role'] === 'assistant')
    messages.push({ role: 'user', content: begun === '' ? missingRequest : options.instruction })
  const { tools } = request
  const body = merged(
    dialect.send,
    options.extra,
    namedOptions(request.options, options.names),
    // A reply that has begun is past its thinking: most servers refuse the one with the other. Unasked, nothing of it goes up.
    thinkFields(dialect, isNative && request.think ? false : request.think),
    isNative ? (dialect.continuation?.body ?? {}) : {},
    { model: request.model, messages, stream: true },
    tools === undefined ? {} : { tools: tools.map(writtenTool) },
  )
  return {
    body: withinLength(withToldChoice(body, request.told), request.spent),
    sent,
    tail: request.prefill.slice(begun.length),
  }
}

function thinkFields({ think: { on, off, level } }: Dialect, think: boolean | string | undefined): Json {
  if (think === undefined) return {}
  if (think === false) return off
  if (typeof think !== 'string' || level === undefined) return on
  return merged(on, level.reduceRight<Json | string>((value, name) => ({ [name]: value }), think) as Json)
}

/** Objects inside are merged, too, one level deep: `chat_template_kwargs` may be of the app and of the dialect. */
function merged(...parts: readonly Json[]): Json {
  const all = new Map<string, unknown>()
  for (const [name, value] of parts.flatMap((part) => Object.entries(part))) {
    const before = all.get(name)
    all.set(name, isRecord(before) && isRecord(value) ? { ...before, ...value } : value)
  }
  return Object.fromEntries(all)
}

function writtenTool({ name, description, parameters = { type: 'object', properties: {} } }: ToolDefinition): Json {
  return { type: 'function', function: { name, ...(description === undefined ? {} : { description }), parameters } }
}
