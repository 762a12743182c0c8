import { createId, isChatError, systemClock, type ChatError, type InterruptOutcome } from '@midstream/core'
import { emptyChat, emptySnapshot, stepChat, type ChatInput, type ChatState } from './chat-state.ts'
import { request } from './connection.ts'
import { readRun } from './read-run.ts'
import { isHidden, nextPaint } from './schedule.ts'
import type { ChatClientOptions, ChatMessage, ChatSession, InterruptResult } from './types.ts'

/** A run to end, and how much of it the person has seen; without a position, all of it. */
interface Interrupts {
  readonly run_id: string
  readonly position: number | undefined
}

/** Creates the store of one conversation. */
export function createSession(options: ChatClientOptions): ChatSession {
  const { clock = systemClock, schedule = nextPaint } = options
  const random = options.random ?? ((bytes) => crypto.getRandomValues(bytes))
  const maxMs = options.reconnect?.maxMs ?? 120_000
  if (!(maxMs >= 0)) throw new RangeError(`reconnect.maxMs: ${maxMs}`)
  const listeners = new Set<() => void>()
  let sessionId = createId('sess', random)
  let state: ChatState = emptyChat
  /** What the person sees. Text runs ahead of it by a paint at most. */
  let shown: ChatState = emptyChat
  let scheduled = false
  /** Gives up the body of the active run. */
  let abort = new AbortController()
  /** The last interrupt, until the gateway has confirmed it. */
  let unconfirmed: { readonly ends: Interrupts; readonly result: Promise<InterruptResult> } | undefined

  const publish = (): void => {
    scheduled = false
    if (shown === state) return
    shown = state
    for (const listener of listeners) listener()
  }
  const step = (input: ChatInput): void => {
    // The gateway has forked: another conversation stood under this id.
    if (input.type === 'event' && 'session_id' in input.event && state.run?.runId === input.runId)
      sessionId = input.event.session_id
    state = stepChat(state, input)
  }
  /** Settles once the person can see how things stand. */
  const painted = (): Promise<void> =>
    new Promise((resolve) => {
      schedule(() => {
        publish()
        resolve()
      })
    })

  /**
   * Freezes the reply as it is shown and gives up its reader: six connections per origin must not make an interrupt
   * wait behind its own stream.
   */
  const freeze = (): { readonly ends: Interrupts; readonly reply: ChatMessage } | undefined => {
    if (!state.run) return undefined
    // A page that is hidden or lost its connection may show less than the person has seen elsewhere: it names no position.
    const isBehind = isHidden() || state.snapshot.status === 'reconnecting'
    const { snapshot, run } = isBehind ? state : shown
    const reply = snapshot.messages.at(-1)!
    const ends = { run_id: state.run.runId, position: isBehind ? undefined : run?.position }
    step({ type: 'freeze', shown: reply })
    abort.abort()
    return { ends, reply: state.snapshot.messages.at(-1)! }
  }

  const confirm = async (ends: Interrupts, frozen: ChatMessage): Promise<InterruptResult> => {
    let reply = frozen
    let outcome: InterruptResult['outcome'] = 'unconfirmed'
    try {
      const json = { position: ends.position }
      const response = await request(options, `/runs/${ends.run_id}/interrupt`, { method: 'POST', json })
      const answer = (await response.json()) as InterruptOutcome
      reply = confirmed(frozen, ends.position, answer)
      outcome = answer.outcome
    } catch (error) {
      // A run that the gateway does not know, or not any more, is over.
      if (isChatError(error) && (error.code === 'not_found' || error.code === 'expired')) outcome = 'already_done'
    }
    step({ type: 'confirm', reply })
    await painted()
    return { outcome }
  }

  /** Starts a run whose reply follows these messages; whatever runs is ended by the same request. */
  const start = (before: (messages: readonly ChatMessage[]) => readonly ChatMessage[]): Promise<ChatMessage> => {
    const ends = freeze()?.ends ?? unconfirmed?.ends
    const messages = before(state.snapshot.messages)
    const runId = createId('run', random)
    const reply: ChatMessage = { id: createId('msg', random), role: 'assistant', content: '', state: 'streaming' }
    unconfirmed = undefined
    abort = new AbortController()
    step({ type: 'submit', runId, messages: [...messages, reply] })
    publish()
    const json = {
      ...options.body,
      session_id: sessionId,
      run_id: runId,
      messages: messages.flatMap(toTurn),
      interrupts: ends,
      reconnect: true,
    }
    return follow(runId, reply, json, abort.signal)
  }

  const follow = async (runId: string, reply: ChatMessage, json: object, signal: AbortSignal): Promise<ChatMessage> => {
    try {
      const link = { endpoint: options, runId, json, signal, clock, random, maxMs }
      for await (const reading of readRun(link)) {
        if (state.run?.runId !== runId) break
        if ('attempt' in reading) step({ type: 'reconnect', runId, attempt: reading.attempt })
        else step({ type: 'event', runId, ...reading })
        if (!scheduled) schedule(publish)
        scheduled = true
      }
    } catch (cause) {
      // An abort comes after the step that ended the run; then this one does nothing. All else is a ChatError.
      const text = state.run?.position ?? 0
      step({ type: 'lose', runId, state: text > 0 ? 'dropped' : 'failed', error: cause as ChatError })
    }
    await painted()
    await unconfirmed?.result
    return state.snapshot.messages.find(({ id }) => id === reply.id) ?? reply
  }

  return {
    subscribe(listener) {
      // Two subscriptions of one function are two.
      const own = (): void => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    getSnapshot: () => shown.snapshot,
    getServerSnapshot: () => emptySnapshot,

    send(text) {
      if (text.trim() === '') throw new TypeError('send(text): text is blank')
      const message: ChatMessage = { id: createId('msg', random), role: 'user', content: text, state: 'done' }
      return start((messages) => [...messages, message])
    },

    interrupt() {
      const frozen = freeze()
      if (!frozen) return unconfirmed?.result ?? Promise.resolve({ outcome: 'already_done' })
      publish()
      const result = confirm(frozen.ends, frozen.reply).then((settled) => {
        // A gateway that was not reached is told again by the next request.
        if (unconfirmed?.result === result && settled.outcome !== 'unconfirmed') unconfirmed = undefined
        return settled
      })
      unconfirmed = { ends: frozen.ends, result }
      return result
    },

    async clear() {
      const forgotten = sessionId
      const isNew = state.snapshot.messages.length === 0
      abort.abort()
      sessionId = createId('sess', random)
      step({ type: 'clear' })
      publish()
      if (isNew) return
      // Here it is gone already. A gateway that cannot be asked forgets it by age.
      await request(options, `/sessions/${forgotten}`, { method: 'DELETE' }).catch(() => undefined)
    },

    regenerate() {
      const asked = (messages: readonly ChatMessage[]): number =>
        messages.findLastIndex(({ role }) => role === 'user') + 1
      if (asked(state.snapshot.messages) === 0) throw new TypeError('regenerate(): nothing was said yet.')
      return start((messages) => messages.slice(0, asked(messages)))
    },
  }
}

/** The reply as the gateway has it now: cut back further, or whole after all. */
function confirmed(frozen: ChatMessage, position: number | undefined, answer: InterruptOutcome): ChatMessage {
  const { outcome, reason, partial } = answer
  const isCut = position === undefined || answer.position < position
  const reply = isCut ? { ...frozen, content: partial.content, thinking: partial.thinking } : frozen
  const isFinished = outcome === 'already_done' && reason !== 'interrupted' && reason !== 'error'
  return isFinished && reply.content === partial.content ? { ...reply, state: 'done' } : reply
}

/** A message as it goes up: what is shown, and that a person cut it off. */
function toTurn({ role, content, state, thinking, toolCalls }: ChatMessage): object[] {
  if (role === 'user') return [{ role, content }]
  if (content === '' && !toolCalls) return []
  const interrupted = state === 'interrupted' || undefined
  // Servers want the thinking back only with a tool call (providers differ); without one it is dead weight.
  return [{ role, content, interrupted, tool_calls: toolCalls, thinking: toolCalls && thinking }]
}
