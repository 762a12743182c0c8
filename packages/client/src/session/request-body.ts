import { ChatError, type RequestLimits } from '@midstream/core'
import { throwIfAborted } from '../connection/abort.ts'
import type { Ask } from '../state/kept-chat.ts'
import { toTurn } from '../state/reply.ts'
import { bytesOf, fitHistory } from './history.ts'
import type { Shared } from './shared.ts'

/**
 * The body of the request for the reply which is the last message, within the limits of the gateway. Those are asked for before
 * anything is left out; a body that fits is there at once.
 * @throws {ChatError} `too_large`
 */
export function requestBody(shared: Shared, runId: string, ask: Ask, signal: AbortSignal): object | Promise<object> {
  const body = fittedBody(shared, runId, ask)
  return body?.omitted === 0 ? body.json : shortened(shared, runId, ask, signal)
}

async function shortened(shared: Shared, runId: string, ask: Ask, signal: AbortSignal): Promise<object> {
  const { limits, store } = shared
  if (!limits.isKnown) {
    await limits.learn(signal)
    throwIfAborted(signal)
  }
  const body = fittedBody(shared, runId, ask)
  if (!body) throw tooMuch(limits.now)
  store.step({ type: 'show', omitted: body.omitted })
  return body.json
}

/** What is too much for the gateway is left out. @returns Undefined when that does not help, or is not wanted. */
function fittedBody(
  { options, store, limits }: Shared,
  runId: string,
  ask: Ask,
): { readonly json: object; readonly omitted: number } | undefined {
  const { snapshot, sessionId, run } = store.state
  const turns: object[][] = []
  for (const message of snapshot.messages) {
    if (turns.length === 0 || message.role === 'user') turns.push([])
    turns.at(-1)!.push(...toTurn(message))
  }
  const json = {
    ...options.body,
    session_id: sessionId,
    run_id: runId,
    resume: run?.before.content ? 'continue' : undefined,
    interrupts: ask.interrupts,
    when_busy: ask.busy,
    reconnect: true,
  }
  const fitted = fitHistory(turns, bytesOf(json), limits.now)
  if (!fitted || (fitted.omitted > 0 && options.whenTooLong === 'fail')) return undefined
  const { omitted } = fitted
  return { json: { ...json, omitted: omitted || undefined, messages: fitted.messages }, omitted }
}

function tooMuch(limits: RequestLimits): ChatError {
  const { messages, body_bytes: bytes } = limits
  const most = `${messages} messages, ${bytes} bytes in one request`
  return new ChatError('too_large', `This is more than the gateway takes (${most}). Send less`, { limits })
}
