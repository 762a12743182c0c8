import { list, record, text, type Json } from '../../wire/json.ts'
import type { ToolDefinition } from '../../wire/messages.ts'
import { withToldChoice } from '../history/call-names.ts'
import { anthropicMessages, type AnthropicHistory } from './messages.ts'
import { thinkFields } from './models.ts'
import { namedOptions, withList, type OptionNames } from '../option-names.ts'
import { withinLength } from '../reply/length-limit.ts'
import type { AskedRequest, ContinuationWay } from '../reply/ways.ts'

/** @see https://platform.claude.com/docs/en/api/messages */
const optionNames: OptionNames = {
  stop: 'stop_sequences',
  max_completion_tokens: 'max_tokens',
  num_predict: 'max_tokens',
  seed: null,
  min_p: null,
  presence_penalty: null,
  frequency_penalty: null,
  repeat_penalty: null,
}

/** One request to `/v1/messages`. */
export interface AnthropicQuestion {
  readonly body: Json
  /** The partial as the server has it. Empty for a reply from the start. */
  readonly sent: string
  /** White space at the end of the partial, which did not go up. */
  readonly tail: string
}

/**
 * The body of `POST /v1/messages`. Later lines win: what an app sets never changes what the gateway relies on.
 * @param extra - Fields that the app wants in every request.
 * @param maxTokens - Longest answer where neither the app's fields nor the request say, tokens: the API wants a number.
 */
export function anthropicQuestion(
  request: AskedRequest,
  options: {
    readonly way: ContinuationWay
    readonly instruction: string
    readonly extra: Json
    readonly maxTokens: number
  },
): AnthropicQuestion {
  // The API refuses a last message with white space at its end.
  const sent = request.prefill.trimEnd()
  const isNative = sent !== '' && options.way === 'native'
  const { messages: turns, interruptedNote: note } = request
  const inWords = [
    ...turns,
    { role: 'assistant', content: sent } as const,
    { role: 'user', content: options.instruction } as const,
  ]
  const history = isNative || sent === '' ? anthropicMessages(turns, note, sent) : anthropicMessages(inWords, note)
  const limits = { max_tokens: options.maxTokens }
  const named = withList(namedOptions(request.options, optionNames), 'stop_sequences')
  const wanted = withToldChoice({ ...limits, ...options.extra, ...named }, request.told)
  const asked = withinLength(wanted, request.spent)
  const { thinking, ...plain }: Json = { ...asked, ...thinkFields(request.model, request.think, asked) }
  const isInCall = history.messages.at(-1)?.content[0]?.['type'] === 'tool_result'
  // A reply that has begun is past its thinking, and the API refuses the one with the other. So it does with a budget in
  // the middle of a tool's turn, which would have to begin with the thinking that was before the call, signed.
  const { type: kind, budget_tokens: budget } = record(thinking)
  // What is left of the limit may be less than the budget, which has to be below it.
  const isTooMuch = request.spent && Number(budget) >= Number(asked['max_tokens'])
  const isRefused = isNative || isTooMuch || (isInCall && kind === 'enabled')
  const body = {
    ...plain,
    ...(isRefused || thinking === undefined ? {} : { thinking }),
    ...toolFields(request.tools, history, list(asked['tools'])),
    ...(history.system === '' ? {} : { system: history.system }),
    model: request.model,
    messages: history.messages,
    stream: true,
  }
  return { body, sent, tail: request.prefill.slice(sent.length) }
}

/** A history with calls is refused where no tools are declared: then theirs are, and may not be called. */
function toolFields(tools: readonly ToolDefinition[] = [], history: AnthropicHistory, own: readonly unknown[]): Json {
  if (tools.length > 0) return { tools: [...own, ...tools.map(writtenTool)] }
  const blocks = history.messages.flatMap(({ content }) => content)
  const called = new Set(blocks.filter(({ type }) => type === 'tool_use').map(({ name }) => text(name)))
  if (own.length > 0 || called.size === 0) return {}
  return { tools: [...called].map((name) => writtenTool({ name })), tool_choice: { type: 'none' } }
}

function writtenTool({ name, description, parameters = { type: 'object', properties: {} } }: ToolDefinition): Json {
  return { name, ...(description === undefined ? {} : { description }), input_schema: parameters }
}
