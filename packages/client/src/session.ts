import {
  ChatError,
  createId,
  systemClock,
  systemRandom,
  toErrorBody,
  type ErrorBody,
  type IdKind,
  type RequestLimits,
} from '@midstream/core'
import { throwIfAborted } from './abort.ts'
import {
  emptyChat,
  emptySnapshot,
  stepChat,
  type Ask,
  type ChatInput,
  type ChatState,
  type KeptChat,
} from './chat-state.ts'
import { droppedError, requestJson } from './connection.ts'
import { disposeKey } from './dispose.ts'
import { bytesOf, fitHistory } from './history.ts'
import type { GatewayLimits } from './limits.ts'
import { readRun } from './read-run.ts'
import { confirmed, isLost, toTurn, type Frozen, type Interrupts } from './reply.ts'
import { guarded, isHidden, nextPaint, tell } from './schedule.ts'
import { tellInterrupt } from './tell-interrupt.ts'
import type { ChatClientOptions, ChatMessage, ChatSession, InterruptResult, SessionHandle } from './types.ts'

/** How often a reply goes on by itself without a word more: gateways die twice in a row, not six times. */
const maxTries = 6

/** Most messages that wait for their turn. */
const maxQueue = 8

const warn = (error: ChatError): void => console.warn(`midstream: ${error.message}`)

/** What the conversations of one client share. */
export interface SessionHost {
  /** Whether nobody looks at the session and nothing happens in it. Called whenever that may have changed. */
  rest(session: ChatSession, isAtRest: boolean): void
  /** The session is over. */
  closed(session: ChatSession): void
  readonly limits: GatewayLimits
}

/** A session, and what only its client may do with it. */
export interface HostedSession {
  readonly session: ChatSession
  /** Undoes its extensions: nothing outside holds it any more. It comes back when it is used. */
  letGo(): void
  /** Whether it has text that is kept nowhere else. */
  isOnlyCopy(): boolean
}

/** Creates the store of one conversation. */
export function createSession(options: ChatClientOptions, name: string, host: SessionHost): HostedSession {
  const {
    clock = systemClock,
    random = systemRandom,
    whenBusy = 'interrupt',
    autoContinue = true,
    whenTooLong = 'omit',
    onError = warn,
  } = options
  const maxMs = options.reconnect?.maxMs ?? 120_000
  if (!(maxMs >= 0)) throw new RangeError(`reconnect.maxMs: ${maxMs}`)
  const schedule = options.schedule ? guarded(options.schedule, clock) : nextPaint
  const listeners = new Set<() => void>()
  /** Listeners of the extensions. */
  const observers = new Set<() => void>()
  /** What undoes the extensions; undefined while there are none. */
  let undo: (() => void)[] | undefined
  let isClosed = false
  const closing = new AbortController()
  /** Replies and interrupts under way. */
  let busy = 0
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
  /** The reply that last went on by itself, how long it was, and how often it did so since without progress. */
  let wentOn = { id: '', length: -1, tries: 0 }
  /** What was last told of each kind, and what of it is shown, the newest last. */
  const told = new Map<string, string>()
  const notices = new Map<string, ErrorBody>()
  /** Whether an extension can bring the conversation back. */
  let isStored = false
  /** Whether the body of the last request is made: from then on it is always the same. */
  let isPosted = false
  /** Lets the extensions see how things stand. @returns Whether there is something new for the listeners. */
  const settle = (): boolean => {
    scheduled = false
    if (shown === state) return false
    while (shown !== state) {
      shown = state
      for (const observer of observers) tell(observer)
    }
    return true
  }
  const notify = (): void => {
    for (const listener of listeners) tell(listener)
  }
  const publish = (): void => {
    if (settle()) notify()
  }
  const restLooks = (): void => {
    const isAtRest =
      listeners.size === 0 && busy === 0 && !state.run && state.snapshot.queue.length === 0 && !unconfirmed
    if (!isClosed) host.rest(session, isAtRest)
  }
  /** Counts what is under way. */
  const during = async <Value>(work: Promise<Value>): Promise<Value> => {
    busy += 1
    restLooks()
    try {
      return await work
    } finally {
      busy -= 1
      restLooks()
    }
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

  const end = (ends: Interrupts, late?: () => void): ReturnType<typeof tellInterrupt> =>
    tellInterrupt({ endpoint: options, clock, random, maxMs, signal: closing.signal }, ends, late)
  const confirm = ({ ends, reply: asShown, run }: Frozen): Promise<InterruptResult> =>
    new Promise((resolve) => {
      const settle = async (outcome: InterruptResult['outcome'], reply = asShown): Promise<void> => {
        step({ type: 'confirm', frozen: asShown, reply })
        await painted()
        // A gateway that was not reached is told again, also by the next request.
        if (unconfirmed?.ends === ends && outcome !== 'unconfirmed') unconfirmed = undefined
        restLooks()
        resolve({ outcome })
      }
      void end(ends, () => void settle('unconfirmed')).then((answer) => {
        if (answer === 'gone') return settle('already_done')
        return answer ? settle(answer.outcome, confirmed({ ends, reply: asShown, run }, answer)) : settle('unconfirmed')
      })
      // The request that was to end another run may not have arrived.
      if (!run.isOpen && run.ask?.interrupts) void end(run.ask.interrupts)
    })

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
    whenTaken?: 'reject',
    tries = 0,
  ): Promise<ChatMessage> => {
    const runId = newId('run')
    // Without text there is nothing to go on from: the model starts over.
    const before = partial?.content
      ? partial
      : { id: partial?.id ?? newId('msg'), role: 'assistant' as const, content: '' }
    const reply: ChatMessage = { ...before, state: 'streaming', reason: undefined, error: undefined }
    unconfirmed = undefined
    abort = new AbortController()
    const ask: Ask = { interrupts: ends, busy: whenTaken }
    isPosted = false
    step({ type: 'submit', runId, messages, reply, ask })
    // A page that is left in this moment has to know its run, and what else was said.
    settle()
    const following = follow(runId, reply, ask, false, tries)
    notify()
    return following
  }

  /** The body that asks for the reply which is the last message; what is too much for the gateway is left out. */
  const bodyOf = (runId: string, ask: Ask): { readonly json: object; readonly omitted: number } | undefined => {
    const { messages } = state.snapshot
    const turns: object[][] = []
    for (const message of messages) {
      if (turns.length === 0 || message.role === 'user') turns.push([])
      turns.at(-1)!.push(...toTurn(message))
    }
    const json = {
      ...options.body,
      session_id: state.sessionId,
      run_id: runId,
      resume: state.run?.before.content ? 'continue' : undefined,
      interrupts: ask.interrupts,
      when_busy: ask.busy,
      reconnect: true,
    }
    const fitted = fitHistory(turns, bytesOf(json), host.limits.now)
    if (!fitted || (fitted.omitted > 0 && whenTooLong === 'fail')) return undefined
    const { omitted } = fitted
    return { json: { ...json, omitted: omitted || undefined, messages: fitted.messages }, omitted }
  }

  /** What is asked, within the limits of the gateway; those are asked for before anything is left out. */
  const requestOf = async (runId: string, ask: Ask): Promise<object> => {
    const { limits } = host
    let body = bodyOf(runId, ask)
    if (body?.omitted !== 0 && !limits.isKnown) {
      await limits.learn(abort.signal)
      throwIfAborted(abort.signal)
      body = bodyOf(runId, ask)
    }
    if (!body) throw tooMuch(limits.now)
    step({ type: 'omit', omitted: body.omitted })
    return body.json
  }

  /**
   * Reads a run to its end.
   * @param ask - Starts it, where it is not there yet.
   * @param joins - Whether it may be there: it is looked for first.
   */
  const follow = (runId: string, reply: ChatMessage, ask?: Ask, joins = false, tries = 0): Promise<ChatMessage> =>
    during(read(runId, reply, ask, joins, tries))
  const read = async (
    runId: string,
    reply: ChatMessage,
    ask: Ask | undefined,
    joins: boolean,
    tries: number,
  ): Promise<ChatMessage> => {
    const { signal } = abort
    for (let isSettled = false; !isSettled;) {
      isSettled = true
      try {
        const first = ask && bodyOf(runId, ask)
        isPosted = true
        const json = first?.omitted === 0 ? first.json : ask && (await requestOf(runId, ask))
        const link = { endpoint: options, runId, json, joins, tries, signal, clock, random, maxMs }
        for await (const reading of readRun(link)) {
          // Joined anew it is the same run with another reader: the id alone would not tell.
          if (signal.aborted) break
          step({ runId, ...reading })
          if (scheduled) continue
          scheduled = true
          schedule(publish)
        }
        // The reader has ended, so has the reply, whatever its last event was.
        if (!signal.aborted) step({ type: 'lose', runId, error: toErrorBody(droppedError()) })
      } catch (cause) {
        // An abort comes after the step that ended the run.
        if (signal.aborted) break
        // A gateway that takes less than it was believed to is asked again, with less.
        if (ask && host.limits.refused(cause)) isSettled = false
        else giveUp(runId, toErrorBody(cause), ask)
      }
    }
    await painted()
    await unconfirmed?.result
    // A conversation that is gone has taken its messages along.
    const ended = state.snapshot.messages.find(({ id }) => id === reply.id) ?? { ...reply, state: 'interrupted' }
    if (isClosed) return ended
    return state.run ? ended : next(ended)
  }
  const giveUp = (runId: string, error: ErrorBody, ask: Ask | undefined): void => {
    // A request that was refused, or never sent, has ended nothing.
    if (ask?.interrupts && !state.run?.isOpen) void end(ask.interrupts)
    step({ type: 'lose', runId, error })
  }

  /** What follows by itself when a reply has ended. */
  const next = (ended: ChatMessage): ChatMessage | Promise<ChatMessage> => {
    const { messages, queue } = state.snapshot
    const { id, content } = ended
    if (autoContinue && ended === messages.at(-1) && isLost(ended)) {
      const isFurther = id !== wentOn.id || content.length > wentOn.length
      wentOn = { id, length: content.length, tries: isFurther ? 0 : wentOn.tries + 1 }
      // Another tab may go on with it, too: who comes first does.
      if (wentOn.tries < maxTries) return goOn('reject', wentOn.tries)
    }
    const [first] = queue
    if (first) leaveQueue(first.id, () => say(first.content))
    return ended
  }

  const say = (text: string): Promise<ChatMessage> => {
    const message = said(text)
    return start(cutIn(), [...state.snapshot.messages, message])
  }
  const goOn = (busy?: 'reject', tries?: number): Promise<ChatMessage> => {
    const { messages } = state.snapshot
    return start(cutIn(), messages.slice(0, -1), messages.at(-1), busy, tries)
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

  /** Brings back what was let go. */
  const use = (): void => {
    attach()
    restLooks()
  }
  const mustBeOpen = (): void => {
    if (isClosed) throw new TypeError('The session is closed. Ask the client for another one: client.session(name)')
    use()
  }

  const session: ChatSession = {
    subscribe(listener) {
      // Two subscriptions of one function are two.
      const own = (): void => listener()
      if (!isClosed) listeners.add(own)
      use()
      return () => {
        listeners.delete(own)
        restLooks()
      }
    },
    getSnapshot: () => shown.snapshot,
    getServerSnapshot: () => emptySnapshot,

    send(text) {
      mustBeOpen()
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
      use()
      const frozen = freeze()
      if (frozen) {
        unconfirmed = { ends: frozen.ends, result: during(confirm(frozen)) }
        publish()
      }
      return unconfirmed?.result ?? { outcome: 'already_done' }
    },

    async clear() {
      const { sessionId, snapshot } = state
      if (snapshot.messages.length === 0) return
      use()
      abort.abort()
      emptyQueue()
      step({ type: 'clear', sessionId: newId('sess') })
      // Here it is gone already. A gateway that cannot be asked forgets it by age.
      const forgotten = requestJson(options, `/sessions/${sessionId}`, { method: 'DELETE', isUrgent: true })
      publish()
      await forgotten.catch(() => undefined)
    },

    continue() {
      mustBeOpen()
      const last = state.snapshot.messages.at(-1)
      if (state.run || last?.role !== 'assistant' || last.toolCalls) throw new TypeError('No reply to continue')
      return goOn()
    },

    edit(messageId, text) {
      mustBeOpen()
      const message = said(text)
      const { messages } = state.snapshot
      const before = messages.findIndex(({ id, role }) => id === messageId && role === 'user')
      if (before < 0) throw new TypeError('No such message')
      return start(cutIn(), [...messages.slice(0, before), message])
    },

    regenerate() {
      mustBeOpen()
      const { messages } = state.snapshot
      const asked = messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1)
      if (asked.length === 0) throw new TypeError('No message yet')
      return start(cutIn(), asked)
    },

    close() {
      if (isClosed) return
      emptyQueue()
      letGo()
      isClosed = true
      closing.abort()
      abort.abort()
      listeners.clear()
      host.closed(session)
    },
    [disposeKey]: () => session.close(),
  }

  const kept = (): KeptChat => {
    const { sessionId, snapshot, run, version, removed } = state
    const joined = run && {
      runId: run.runId,
      before: run.before,
      isOpen: run.isOpen,
      // What has brought text cannot be asked for again under the same id.
      ask: run.position === 0 ? run.ask : undefined,
    }
    return { sessionId, messages: snapshot.messages, run: joined, version, removed }
  }
  const restore = (chat: KeptChat): void => {
    const { run } = chat
    if (run && run.runId === state.run?.runId) {
      step({ type: 'restore', kept: chat })
      return publish()
    }
    abort.abort()
    abort = new AbortController()
    if (chat.messages.length === 0) emptyQueue()
    step({ type: 'restore', kept: chat })
    const last = chat.messages.at(-1)
    settle()
    if (run && last && state.run?.runId === run.runId) {
      const isUnread = last.content === run.before.content && !last.thinking && !last.data && !last.toolCalls
      void follow(run.runId, last, isUnread ? run.ask : undefined, true)
    }
    notify()
  }
  const isAsked = (): boolean => isPosted && state.run?.position === 0
  const see = (version: number): void => step({ type: 'see', version })
  const showNotice = (): void => {
    const notice = [...notices.values()].at(-1) ?? null
    if (notice === state.snapshot.notice) return
    step({ type: 'notice', notice })
    publish()
  }
  const report: SessionHandle['report'] = (error, isShown = true) => {
    const { code, message } = error
    if (told.get(code) === message) return
    told.set(code, message)
    tell(() => onError(error))
    if (!isShown) return
    notices.delete(code)
    notices.set(code, toErrorBody(error))
    showNotice()
  }
  const withdraw: SessionHandle['withdraw'] = (code) => {
    told.delete(code)
    notices.delete(code)
    showNotice()
  }
  const stored: SessionHandle['stored'] = (isWhole) => void (isStored = isWhole)
  const attach = (): void => {
    if (undo || isClosed) return
    const undos: (() => void)[] = (undo = [])
    const observe = (listener: () => void): void => void observers.add(listener)
    const handle = { name, session, options, clock, observe, kept, restore, isAsked, see, report, withdraw, stored }
    for (const extend of options.extensions ?? []) {
      const undone = extend(handle)
      if (undone) undos.push(undone)
    }
  }
  const letGo = (): void => {
    for (const undone of undo ?? []) undone()
    undo = undefined
    observers.clear()
  }
  attach()
  restLooks()
  const isOnlyCopy = (): boolean => !isClosed && !isStored && state.snapshot.messages.length > 0
  return { session, letGo, isOnlyCopy }
}

function tooMuch(limits: RequestLimits): ChatError {
  const { messages, body_bytes: bytes } = limits
  const most = `${messages} messages, ${bytes} bytes in one request`
  return new ChatError('too_large', `This is more than the gateway takes (${most}). Send less`, { limits })
}
