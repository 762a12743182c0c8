import { isRecord } from '../wire/json.ts'
import { parseTool, parseTurns } from '../wire/turns.ts'
import type { ChatTurn, ToolDefinition } from '../wire/messages.ts'
import type { Targets } from '../pool/targets.ts'
import type { Identity } from './owner.ts'

/** A request, before a model is asked. @public */
export interface PrepareInput<Context = Identity, Metadata = Readonly<Record<string, unknown>> | undefined> {
  /** Who asks, as `authorize` said it. */
  readonly context: Context
  /** The app's own words in the request. */
  readonly metadata: Metadata
  /** What the client sent; of a continuation, without the reply that grows. */
  readonly messages: readonly ChatTurn[]
  /** The id of the message that they follow; undefined where nothing is left out before them, or the client did not say. */
  readonly after: string | undefined
  /** How many earlier messages the client left out. */
  readonly omitted: number
  /** The model that was chosen. */
  readonly model: string
  readonly options: Readonly<Record<string, unknown>> | undefined
  readonly tools: readonly ToolDefinition[] | undefined
  readonly think: boolean | string | undefined
  readonly sessionId: string
  readonly runId: string
  /** Aborts when the run has ended: a person interrupted it, say. */
  readonly signal: AbortSignal
}

/** What an app makes of a request: each field replaces what the client sent. @public */
export interface Prepared {
  /** The whole history, from its beginning; of a continuation, without the reply that grows. */
  readonly messages?: readonly ChatTurn[] | undefined
  /** Placed before the history, instead of the gateway's `system`. */
  readonly system?: string | undefined
  /** One of the gateway's models. */
  readonly model?: string | undefined
  readonly options?: Readonly<Record<string, unknown>> | undefined
  readonly tools?: readonly ToolDefinition[] | undefined
  readonly think?: boolean | string | undefined
}

/** What a model is asked, after the app had its say. */
export interface Question extends Pick<PrepareInput, 'messages' | 'model' | 'options' | 'tools' | 'think'> {
  readonly system: string | undefined
}

/**
 * What the app made of a question, checked: it may come from its database.
 * @throws {TypeError} Naming what is wrong.
 */
export function preparedQuestion(asked: Question, said: unknown, targets: Targets): Question {
  if (said === undefined || said === null) return asked
  if (!isRecord(said)) throw new TypeError('prepare must return an object, or nothing.')
  const prepared = said as Prepared
  const { model = asked.model, system = asked.system, messages, tools } = prepared
  if (model !== targets.model && !targets.byModel.has(model))
    throw new TypeError(`prepare chose the model ${model}, which the gateway does not offer.`)
  if (system !== undefined && typeof system !== 'string') throw new TypeError('prepare: system must be a string.')
  return {
    model,
    system,
    messages: messages === undefined ? asked.messages : checked(() => parseTurns(messages, 'messages')),
    tools: tools === undefined ? asked.tools : checked(() => tools.map(parseTool)),
    options: prepared.options ?? asked.options,
    think: prepared.think ?? asked.think,
  }
}

/** A fault of the app's is none of the request's: no client is told of it. */
function checked<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw new TypeError(`prepare: ${(cause as Error).message}`, { cause })
  }
}
