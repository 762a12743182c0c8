import {
  ChatError,
  createId,
  systemClock,
  systemRandom,
  toErrorBody,
  type IdKind,
  type InterruptOutcome,
} from '@midstream/core'
import { emptyChat, emptySnapshot, stepChat, type ChatInput, type ChatState, type KeptChat } from './chat-state.ts'
import { droppedError, request } from './connection.ts'
import { readRun } from './read-run.ts'
import { confirmed, isLost, toTurn, type Frozen, type Interrupts } from './reply.ts'
import { isHidden, nextPaint } from './schedule.ts'
import type { ChatClientOptions, ChatMessage, ChatSession, InterruptResult } from './types.ts'

/** Most messages that wait for their turn. */
const maxQueue = 8

/** Creates the store of one conversation. */
export function createSession(options: ChatClientOptions, name: string): ChatSession {
  const {
    clock = systemClock,
    random = systemRandom,
    schedule = nextPaint,
    whenBusy = 'interrupt',
    autoContinue = true,
  } = options
  const maxMs = options.reconnect?.maxMs ?? 120_000
  if (!(maxMs >= 0)) throw new RangeError(`reconnect.maxMs: ${maxMs}`)
  const listeners = new Set<() => void>()
  /** Who waits for the replies to queued messages. */
  const waiting = new Map<string, (reply: Promise<ChatMessage> | null) => void>()
  const newId = (kind: IdKind): string => createId(kind, random)
  let state: ChatState = { ...emptyChat, sessionId: newId('sess') }
  /** What the person sees. Text runs ahead of it by a paint at most. */
  let shown = state
  let scheduled = false
  /** Gives up the body of the active run. */
  let abort = new AbortController()
  /** The last interrupt, until the gateway has confirmed it. */
  let unconfirmed: { readonly ends: Interrupts; readonly result: Promise<InterruptResult> } | undefined
  /** The reply that last went on by itself, and how long it was: without progress it does so once. */
  let wentOn = { id: '', length: -1 }

  const publish = (): void => {
    scheduled = false
    if (shown === state) return
    shown = state
    for (const listener of listeners) listener()
  }
  const step = (input: ChatInput): void => {
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
  const said = (text: string): ChatMessage => {
    if (text.trim() === '') throw new TypeError('The text is blank')
    return { id: newId('msg'), role: 'user', content: text, state: 'done' }
  }

  /**
   * Freezes the reply as it is shown and gives up its reader: six connections per origin must not make an interrupt
   * wait behind its own stream.
   */
  const freeze = (): Frozen | undefined => {
    if (!state.run) return undefined
    // A page that is hidden or lost its connection may show less than the person has seen elsewhere: it names no position.
    const isBehind = isHidden() || state.snapshot.status === 'reconnecting'
    const { snapshot, run } = isBehind ? state : shown
    const frozen: Frozen = {
      ends: { run_id: state.run.runId, position: isBehind ? undefined : run?.position },
      reply: { ...snapshot.messages.at(-1)!, state: 'interrupted' },
      run: state.run,
    }
    step({ type: 'freeze', reply: frozen.reply })
    abort.abort()
    return frozen
  }

  const confirm = async (frozen: Frozen): Promise<InterruptResult> => {
    const { ends, reply: asShown } = frozen
    let reply = asShown
    let outcome: InterruptResult['outcome'] = 'unconfirmed'
    try {
      const { run_id: runId, position } = ends
      const response = await request(options, `/runs/${runId}/interrupt`, { json: { position } })
      const answer = (await response.json()) as InterruptOutcome
      reply = confirmed(frozen, answer)
      outcome = answer.outcome
    } catch (error) {
      // A run that the gateway does not know, or not any more, is over.
      const { code } = droppedError(error)
      if (code === 'not_found' || code === 'expired') outcome = 'already_done'
    }
    step({ type: 'confirm', frozen: asShown, reply })
    await painted()
    // A gateway that was not reached is told again by the next request.
    if (unconfirmed?.ends === ends && outcome !== 'unconfirmed') unconfirmed = undefined
    return { outcome }
  }

  /** What the next request has to end. */
  const cutIn = (): Interrupts | undefined => freeze()?.ends ?? unconfirmed?.ends

  /**
   * Starts a run: the reply to these messages, or more of a partial one. The same request ends whatever runs.
   * @param busy - What becomes of a run that somebody else has started meanwhile.
   */
  const start = (
    ends: Interrupts | undefined,
    messages: readonly ChatMessage[],
    partial?: ChatMessage,
    busy?: 'reject',
  ): Promise<ChatMessage> => {
    const runId = newId('run')
    // Without text there is nothing to go on from: the model starts over.
    const before = partial?.content
      ? partial
      : { id: partial?.id ?? newId('msg'), role: 'assistant' as const, content: '' }
    const reply: ChatMessage = { ...before, state: 'streaming', reason: undefined, error: undefined }
    unconfirmed = undefined
    abort = new AbortController()
    step({ type: 'submit', runId, messages, reply })
    publish()
    const json = {
      ...options.body,
      session_id: state.sessionId,
      run_id: runId,
      messages: [...messages, reply].flatMap(toTurn),
      resume: reply.content ? 'continue' : undefined,
      interrupts: ends,
      when_busy: busy,
      reconnect: true,
    }
    return follow(runId, reply, json)
  }

  /** Reads a run to its end; `json` starts it, where it is not there yet. */
  const follow = async (runId: string, reply: ChatMessage, json?: object): Promise<ChatMessage> => {
    const { signal } = abort
    try {
      for await (const reading of readRun({ endpoint: options, runId, json, signal, clock, random, maxMs })) {
        // Joined anew it is the same run with another reader: the id alone would not tell.
        if (signal.aborted) break
        step({ runId, ...reading })
        if (!scheduled) schedule(publish)
        scheduled = true
      }
    } catch (cause) {
      // An abort comes after the step that ended the run. All else is a ChatError.
      if (!signal.aborted) step({ type: 'lose', runId, error: toErrorBody(cause) })
    }
    await painted()
    await unconfirmed?.result
    // A conversation that is gone has taken its messages along.
    const ended = state.snapshot.messages.find(({ id }) => id === reply.id) ?? { ...reply, state: 'interrupted' }
    return state.run ? ended : next(ended)
  }

  /** What follows by itself when a reply has ended. */
  const next = (ended: ChatMessage): ChatMessage | Promise<ChatMessage> => {
    const { messages, queue } = state.snapshot
    const { id, content } = ended
    if (autoContinue && ended === messages.at(-1) && isLost(ended)) {
      const isFurther = id !== wentOn.id || content.length > wentOn.length
      wentOn = { id, length: content.length }
      // Another tab may go on with it, too: who comes first does.
      if (isFurther) return goOn('reject')
    }
    const [first] = queue
    if (first) leaveQueue(first.id, () => say(first.content))
    return ended
  }

  const say = (text: string): Promise<ChatMessage> => {
    const message = said(text)
    return start(cutIn(), [...state.snapshot.messages, message])
  }
  const goOn = (busy?: 'reject'): Promise<ChatMessage> => {
    const { messages } = state.snapshot
    return start(cutIn(), messages.slice(0, -1), messages.at(-1), busy)
  }
  const leaveQueue = (id: string, reply: () => Promise<ChatMessage> | null = () => null): boolean => {
    const settle = waiting.get(id)
    waiting.delete(id)
    step({ type: 'queue', queue: state.snapshot.queue.filter((message) => message.id !== id) })
    settle?.(reply())
    publish()
    return settle !== undefined
  }
  const emptyQueue = (): void => {
    for (const id of waiting.keys()) leaveQueue(id)
  }

  const session: ChatSession = {
    subscribe(listener) {
      // Two subscriptions of one function are two.
      const own = (): void => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    getSnapshot: () => shown.snapshot,
    getServerSnapshot: () => emptySnapshot,

    send(text) {
      const { queue } = state.snapshot
      // What waits already comes first, also in the moment between two runs.
      if ((!state.run && queue.length === 0) || whenBusy === 'interrupt') return say(text)
      if (whenBusy === 'reject' || queue.length >= maxQueue) {
        throw new ChatError('session_busy', 'A reply is streaming', { retryable: true })
      }
      const { id, content } = said(text)
      step({ type: 'queue', queue: [...queue, { id, content }] })
      publish()
      return new Promise((resolve) => waiting.set(id, resolve))
    },
    takeBack: (id) => leaveQueue(id),

    async interrupt() {
      const frozen = freeze()
      if (frozen) {
        publish()
        unconfirmed = { ends: frozen.ends, result: confirm(frozen) }
      }
      return unconfirmed?.result ?? { outcome: 'already_done' }
    },

    async clear() {
      const { sessionId, snapshot } = state
      if (snapshot.messages.length === 0) return
      abort.abort()
      emptyQueue()
      step({ type: 'clear', sessionId: newId('sess') })
      publish()
      // Here it is gone already. A gateway that cannot be asked forgets it by age.
      await request(options, `/sessions/${sessionId}`, { method: 'DELETE' }).catch(() => undefined)
    },

    continue() {
      const last = state.snapshot.messages.at(-1)
      if (state.run || last?.role !== 'assistant' || last.toolCalls) throw new TypeError('No reply to continue')
      return goOn()
    },

    edit(messageId, text) {
      const message = said(text)
      const { messages } = state.snapshot
      const before = messages.findIndex(({ id, role }) => id === messageId && role === 'user')
      if (before < 0) throw new TypeError('No such message')
      return start(cutIn(), [...messages.slice(0, before), message])
    },

    regenerate() {
      const { messages } = state.snapshot
      const asked = messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1)
      if (asked.length === 0) throw new TypeError('No message yet')
      return start(cutIn(), asked)
    },
  }

  const kept = (): KeptChat => {
    const { sessionId, snapshot, run, version } = state
    const joined = run && { runId: run.runId, before: run.before, isOpen: run.isOpen }
    return { sessionId, messages: snapshot.messages, run: joined, version }
  }
  const restore = (chat: KeptChat): void => {
    abort.abort()
    abort = new AbortController()
    if (chat.messages.length === 0) emptyQueue()
    step({ type: 'restore', kept: chat })
    publish()
    const last = chat.messages.at(-1)
    if (chat.run && last) void follow(chat.run.runId, last)
  }
  const see = (version: number): void => step({ type: 'see', version })
  for (const extend of options.extensions ?? []) extend({ name, session, options, clock, kept, restore, see })
  return session
}
