import type { Clock } from '../clock.ts'
import { toErrorBody } from '../wire/errors.ts'
import type {
  FinishReason,
  InterruptedBy,
  LogEvent,
  Progress,
  StartEvent,
  TerminalEvent,
  Usage,
} from '../wire/events.ts'
import type { ChatTurn } from '../wire/messages.ts'
import type { LogView, Partial } from './log-view.ts'
import { replyMessage } from './reply-message.ts'
import { createRunLog, type RunLog } from './run-log.ts'
import { runStart, stepRun, type Retry, type RunInput } from './run-state.ts'
import type { Successor } from '../pool/failover.ts'

/** What a run is, and who is told of its end. */
export interface RunOptions {
  /** Names the run, for good. */
  readonly runId: string
  /** The conversation that it belongs to. */
  readonly sessionId: string
  /** As its readers are told. */
  readonly model: string
  /** The message that this run grows, and how much of its text stays; for the first event of every reader. */
  readonly continues?: StartEvent['continues'] | undefined
  /** The text of that message before this run. @defaultValue '' */
  readonly begun?: string | undefined
  /** Who answers from the start, when it is not who was asked. */
  readonly successor?: Successor | undefined
  /** Time and timers. */
  readonly clock: Clock
  /** How long the run goes on without a reader, ms; 0 when nobody promised to come back. */
  readonly orphanMs: number
  /** Called once, in the step that ends the run. */
  readonly onEnd?: ((run: Run) => void) | undefined
}

/** What an interrupt did. @public */
export interface InterruptOutcome {
  readonly outcome: 'interrupted' | 'already_done'
  /** How the run ended; `interrupted` also when somebody else did it earlier. */
  readonly reason: TerminalEvent['reason']
  readonly position: number
  readonly partial: Partial
  /** Of a continuation: what the partial is appended to. */
  readonly continues?: StartEvent['continues'] | undefined
}

/** One run: its log, its state, its readers. @public */
export interface Run extends LogView {
  readonly log: RunLog
  /** The text of the message that this run grows, before it; '' where it grows none. */
  readonly begun: string
  /** When the first delta came; undefined before. */
  readonly firstDeltaAt: number | undefined
  /** When the run ended; undefined while it goes on. */
  readonly endedAt: number | undefined
  /** How often a model server was asked again. */
  readonly retries: number
  /** Whether the one that was asked last has answered: with `retries`, that a recovery went well. */
  readonly answered: boolean
  /** Who answers, or answered, when it is not who was asked. */
  readonly successor: Successor | undefined
  /** Tokens, those of failed attempts with them; undefined while it goes on. */
  readonly usage: Usage | undefined
  /** Why it failed, with the `cause` that must not travel; else what somebody threw who was told of its end. */
  readonly error: unknown
  readonly readers: number
  /** Settles, never rejects, when the run has ended. */
  readonly ended: Promise<TerminalEvent>
  /**
   * The reply as a message to store: as the person saw it when the run was cut, and whole where the run grows an earlier one.
   * `interrupted` is set when a person cut it off.
   */
  message(): ChatTurn
  /**
   * Ends the run at a position in this very step, and tells the upstream to stop. An ended run is left as it is.
   * @param position - Where the log is cut. Default: its end.
   */
  interrupt(by: InterruptedBy, position?: number): InterruptOutcome
}

/** Who writes a run, as the run sees it: an ended run holds none. */
export interface RunWriter {
  /** Tokens so far. */
  usage(): Usage | undefined
  /** The run has ended: nothing is written any more. */
  end(): void
}

/** A run, in the hands of who writes it. */
export interface OwnRun {
  readonly run: Run
  hasEnded(): boolean
  /** Sets who writes, before the first event. */
  writtenBy(writer: RunWriter): void
  /** Appends; readers learn of it at `wake`. */
  append(event: LogEvent): void
  /** The reply grows; `answered`: by the model server, and not by an event of the app. */
  grow(answered: boolean): void
  show(progress: Progress): void
  /** Before the first attempt: another model was chosen, or another one answers for it. */
  answeredBy(model: string, successor: Successor | undefined): void
  /** An attempt has failed, and another one follows. */
  retry(retry: Retry, successor: Successor | undefined): void
  finish(reason: FinishReason, usage: Usage | undefined): void
  fail(error: unknown, retryable: boolean): void
  /** Tells the readers, once a batch. */
  wake(now: number): void
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/** Makes a run that nobody writes yet. It knows its log, its readers and its end, and nothing of model servers. */
export function createRun(options: RunOptions): OwnRun {
  const { runId, sessionId, model, continues, begun = '', successor, clock, orphanMs } = options
  let onEnd = options.onEnd
  const log = createRunLog()
  const wakes = new Set<(now: number) => void>()
  let writer: RunWriter | undefined
  let disarmOrphan = (): void => {}
  /** Until when a reader that has left may still be away, before `orphanMs` begins. */
  let awayUntil = 0
  let settle: (terminal: TerminalEvent) => void

  const wake = (now: number): void => {
    for (const reader of wakes) reader(now)
  }
  const step = (input: RunInput): void => {
    const before = run.state
    const state = stepRun(before, input)
    if (state === before) return
    run.state = state
    run.changes += 1
    if (state.phase === 'ended') end(state.terminal, input)
    else run.successor = state.successor
  }
  /** The order counts: who is told of the end finds the log cut, the upstream told to stop, and nothing more to come. */
  const end = (terminal: TerminalEvent, input: RunInput): void => {
    if (input.type === 'interrupt') log.cut(input.position)
    run.endedAt = clock.now()
    disarmOrphan()
    run.usage = writer?.usage()
    guarded(() => writer?.end())
    // An ended run is kept for a while, and with its writer the whole history would be.
    writer = undefined
    const tell = onEnd
    onEnd = undefined
    guarded(() => tell?.(run))
    settle(terminal)
    const now = run.endedAt
    for (const reader of wakes) guarded(() => reader(now))
  }
  /** Who is told of the end keeps nobody else from it, whatever it throws. */
  const guarded = (tell: () => void): void => {
    try {
      tell()
    } catch (cause) {
      run.error ??= cause
    }
  }

  // Fields and no getters: engines make a dictionary of an object with getters of its own, and this one is looked at for every token.
  const run: Writable<Run> = {
    runId,
    sessionId,
    model,
    continues,
    begun,
    log,
    startedAt: clock.now(),
    ended: new Promise<TerminalEvent>((resolve) => (settle = resolve)),
    state: successor ? { phase: 'waiting', successor } : runStart,
    changes: 0,
    progress: undefined,
    firstDeltaAt: undefined,
    endedAt: undefined,
    retries: 0,
    answered: false,
    successor,
    usage: undefined,
    error: undefined,
    readers: 0,
    message: () => replyMessage(begun, log.partial(), run.state),
    interrupt(by, position) {
      const outcome = hasEnded() ? 'already_done' : 'interrupted'
      step({ type: 'interrupt', by, position: log.place(position), usage: writer?.usage() })
      const reason = run.state.phase === 'ended' ? run.state.terminal.reason : 'interrupted'
      return { outcome, reason, position: log.length, partial: log.partial(), continues }
    },
    attach(reader, awayMs = 0) {
      disarmOrphan()
      wakes.add(reader)
      run.readers = wakes.size
      return () => {
        if (!wakes.delete(reader)) return
        run.readers = wakes.size
        if (hasEnded()) return
        const now = clock.now()
        // Others may leave later, and must not take that time away.
        awayUntil = Math.max(awayUntil, now + awayMs)
        if (wakes.size > 0) return
        if (orphanMs > 0) disarmOrphan = clock.after(awayUntil - now + orphanMs, () => void run.interrupt('orphan'))
        else run.interrupt('orphan')
      }
    },
  }
  const hasEnded = (): boolean => run.state.phase === 'ended'
  return {
    run,
    hasEnded,
    writtenBy: (who) => void (writer = who),
    append: log.append,
    grow(isAnswer) {
      if (run.state.phase !== 'generating') step({ type: 'delta' })
      if (!isAnswer) return
      run.progress = undefined
      if (run.answered) return
      run.answered = true
      run.firstDeltaAt ??= clock.now()
    },
    show: (shown) => void (run.progress = shown),
    answeredBy(model, next) {
      run.model = model
      if (next) step({ type: 'successor', successor: next })
    },
    retry(retry, next) {
      run.retries += 1
      run.answered = false
      run.progress = undefined
      step({ type: 'retry', retry, hasText: run.firstDeltaAt !== undefined, successor: next })
    },
    finish: (reason, counted) => step({ type: 'finish', reason, usage: counted }),
    fail(error, retryable) {
      // What an upstream throws when it is told to stop is no failure, and a second one is not why the run ended.
      if (hasEnded()) return
      run.error = error
      const body = toErrorBody(error)
      step({ type: 'fail', error: { ...body, retryable: body.retryable && retryable }, position: log.length })
    },
    wake,
  }
}
