import type { Json } from '../../wire/json.ts'
import type { ChatTurn, ToolDefinition } from '../../wire/messages.ts'
import { missingRequest, normaliseHistory } from '../history/history.ts'
import { namedOptions, withList, type OptionNames } from '../option-names.ts'
import { withinLength } from '../reply/length-limit.ts'
import type { UpstreamRequest } from '../upstream.ts'
import type { ContinuationWay } from '../reply/ways.ts'

const optionNames: OptionNames = { max_tokens: 'num_predict', max_completion_tokens: 'num_predict' }

/** One request to `/api/chat`. */
export interface OllamaQuestion {
  readonly body: Readonly<Record<string, unknown>>
  /** The partial as the server has it: what it may say again. Empty for a reply from the start. */
  readonly sent: string
  /** White space at the end of the partial, which did not go up. */
  readonly tail: string
}

/**
 * The body of `POST /api/chat`: the whole history, made valid. A trailing assistant message is continued.
 * @param from - The server's id: what it attached to its calls goes back to it.
 */
export function ollamaQuestion(
  request: UpstreamRequest,
  way: ContinuationWay,
  instruction: string,
  from?: string,
): OllamaQuestion {
  const { prefill, tools, options } = request
  // Some of Ollama's templates drop trailing white space, and all others make the model diverge by it.
  const begun = prefill.trimEnd()
  // It is a part of the history, which must not end with two of them.
  const turns: readonly ChatTurn[] =
    begun === '' ? request.messages : [...request.messages, { role: 'assistant', content: begun }]
  const history = normaliseHistory(turns, request.interruptedNote)
  const sent = begun === '' ? '' : (history.at(-1)?.content ?? '')
  const isNative = begun !== '' && way === 'native'
  if (!isNative && history.at(-1)?.role === 'assistant')
    history.push({ role: 'user', content: begun === '' ? missingRequest : instruction })
  // A reply that has begun is past its thinking, whatever was asked for: some servers refuse the one with the other.
  const think = isNative ? false : request.think
  const body = {
    model: request.model,
    messages: ollamaMessages(history, from),
    stream: true,
    ...(tools === undefined ? {} : { tools: tools.map(ollamaTool) }),
    ...(think === undefined ? {} : { think }),
    ...(options === undefined ? {} : { options: ollamaOptions(options, request.spent) }),
  }
  return { body, sent, tail: prefill.slice(begun.length) }
}

/** Ollama knows a tool's result by the tool's name. */
function ollamaMessages(turns: readonly ChatTurn[], from: string | undefined): Record<string, unknown>[] {
  const names = new Map<string, string>()
  return turns.map(({ role, content, tool_calls: calls, tool_call_id: callId }) => {
    for (const { id, name } of calls ?? []) names.set(id, name)
    return {
      role,
      content,
      ...(calls === undefined
        ? {}
        : {
            tool_calls: calls.map(({ id, name, arguments: args, opaque }) => {
              const own = opaque?.from === from ? opaque : undefined
              return { ...own?.call, id, function: { ...own?.function, name, arguments: args } }
            }),
          }),
      ...(callId === undefined ? {} : { tool_name: names.get(callId), tool_call_id: callId }),
    }
  })
}

function ollamaTool({
  name,
  description = '',
  parameters = { type: 'object', properties: {} },
}: ToolDefinition): Record<string, unknown> {
  return { type: 'function', function: { name, description, parameters } }
}

/** Ollama fails (HTTP 500) when `stop` is one string, which others take. */
function ollamaOptions(options: Json, spent: number | undefined): Json {
  return withList(withinLength(namedOptions(options, optionNames), spent), 'stop')
}
