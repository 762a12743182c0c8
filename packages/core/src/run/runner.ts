import { driveFuse, fuseDueAt, fuseInput, startFuse, stepFuse, type FuseInput } from '../transforms/fuse.ts'
import { incompleteReply } from '../upstream/reply/reply-errors.ts'
import type { UpstreamEvent } from '../upstream/upstream.ts'
import { ChatError, isChatError, toErrorBody } from '../wire/errors.ts'
import type { LogEvent, Progress, TerminalEvent } from '../wire/events.ts'
import { systemRandom } from '../wire/ids.ts'
import { recoverySeen, recoveryStart, stepRecovery } from './recovery.ts'
import { createRunLog } from './run-log.ts'
import { runStart, stepRun, type RunInput, type RunState, type Successor } from './run-state.ts'
import type { Run, RunOptions } from './run.ts'
import { createUsageMeter } from './usage.ts'

/**
 * Starts a run. Its upstream writes the log at the model's own speed; no reader slows it.
 * @public
 */
export function startRun(options: RunOptions): Run {
  const { clock, fuse: policy, recovery: recoveryPolicy, failover, orphanMs, onEnd } = options
  const { random = systemRandom } = options
  // No closure below may hold `options`: an ended run is kept for a while, and with it the whole history would be.
  let generate: RunOptions['generate'] | undefined = options.generate
  const log = createRunLog()
  const startedAt = clock.now()
  /** Of the present attempt. */
  let abort = new AbortController()
  const wakes = new Set<() => void>()
  let state: RunState = failover?.successor ? { phase: 'waiting', successor: failover.successor } : runStart
  let fuse = startFuse(startedAt)
  let firstDeltaAt: number | undefined
  let endedAt: number | undefined
  let failure: unknown
  let progress: Progress | undefined
  let answeredBy: Successor | undefined
  let retries = 0
  const meter = createUsageMeter()
  let disarmOrphan = (): void => {}
  let endPause = (): void => {}
  let recovery = recoveryStart
  /** Who goes on after an attempt that the fuse has ended. */
  let replacement: Successor | null = null
  let hasYielded = false
  /** White space at the end of the reply that the prefill left out: a retry writes it again. */
  let owed = ''
  /** The app's own events, as JSON, and how many of them this attempt has given: a retry gives them all again. */
  const given: string[] = []
  let giving = 0
  let settle: (terminal: TerminalEvent) => void
  const ended = new Promise<TerminalEvent>((resolve) => (settle = resolve))

  const hasEnded = (): boolean => state.phase === 'ended'
  const wake = (): void => {
    for (const reader of wakes) reader()
  }
  const step = (input: RunInput): void => {
    const before = state
    state = stepRun(state, input)
    if (state.phase !== 'ended' || before.phase === 'ended') return
    if (input.type === 'interrupt') log.cut(input.position)
    endedAt = clock.now()
    answeredBy = before.successor
    fuseDriver.stop()
    disarmOrphan()
    endPause()
    generate = undefined
    // Whoever finished is left, not stopped: its connection may be used again.
    if (input.type !== 'finish') abort.abort(new DOMException('The run has ended.', 'AbortError'))
    onEnd?.(run)
    settle(state.terminal)
    wake()
  }
  const fail = (error: unknown): void => {
    // What an upstream throws when it is told to stop is no failure, and a second one is not why the run ended.
    if (hasEnded()) return
    failure = error
    const body = toErrorBody(error)
    // What a tool has been called for must not be generated again, by nobody.
    const retryable = body.retryable && !log.partial().tool_calls
    step({ type: 'fail', error: { ...body, retryable }, position: log.length })
  }
  const stepFuseWith = (input: FuseInput): void => {
    const before = fuse
    fuse = stepFuse(before, input, policy)
    if (fuse.phase === 'intact' || before.phase === 'blown') return
    const { error } = fuse
    replacement = log.partial().tool_calls ? null : moveOn(error)
    if (!replacement) return fail(error)
    // It is the server that is given up, and not the run.
    fuse = stepFuse(before, { type: 'rest' }, policy)
    abort.abort(error)
  }
  const fuseDriver = driveFuse(
    clock,
    () => fuseDueAt(fuse, policy),
    (now) => stepFuseWith({ type: 'tick', now }),
  )

  /** The events of one read are one batch: readers are woken once. */
  const accept = (events: readonly UpstreamEvent[], signal: AbortSignal): void => {
    const now = clock.now()
    try {
      for (const event of events) {
        if (hasEnded() || signal.aborted) return
        if ('error' in event) throw event.error
        if ('finish' in event) {
          step({ type: 'finish', reason: event.finish, usage: meter.finished(event.usage) })
          continue
        }
        const input = fuseInput(event, now)
        stepFuseWith(input)
        if (signal.aborted || 'alive' in event || 'malformed' in event) continue
        if ('usage' in event) meter.said(event.usage)
        else if ('progress' in event) show(event.progress)
        else {
          append(event)
          if (input.type === 'delta') meter.delta(input.bytes)
        }
      }
    } finally {
      fuseDriver.look()
      wake()
    }
  }
  const append = (event: LogEvent): void => {
    const before = log.length
    if ('data' in event && isRepeated(JSON.stringify(event))) return
    log.append(owed !== '' && 'message' in event ? { message: withoutOwed(event.message) } : event)
    if (log.length === before) return
    // An app's event says nothing of the model server, which may not even have been asked yet.
    if ('data' in event) step({ type: 'delta' })
    else yielded()
  }
  const yielded = (): void => {
    step({ type: 'delta' })
    progress = undefined
    if (hasYielded) return
    hasYielded = true
    firstDeltaAt ??= clock.now()
    recovery = recoverySeen(recovery)
    failover?.delta()
  }
  const show = (shown: Progress): void => {
    // A call in the making is the reply growing; the others come before it.
    if (shown.stage === 'tool_call') yielded()
    progress = shown
  }
  const isRepeated = (json: string): boolean => {
    giving += 1
    if (given[giving - 1] === json) return true
    given.splice(giving - 1, Infinity, json)
    return false
  }
  const withoutOwed = (text: string): string => {
    let same = 0
    while (same < Math.min(owed.length, text.length) && owed[same] === text[same]) same += 1
    owed = same === text.length ? owed.slice(same) : ''
    return text.slice(same)
  }

  /** One request to the upstream. @returns Why it failed, if the run has not ended. */
  const attempt = (prefill: string): Promise<ChatError> => {
    const { signal } = (abort = new AbortController())
    giving = 0
    replacement = null
    stepFuseWith({ type: 'ask', now: clock.now() })
    fuseDriver.look()
    return new Promise((resolve) => {
      // Whoever is given up is not waited for. Of an end that is the run's own nobody asks why.
      signal.addEventListener('abort', () => resolve(signal.reason as ChatError))
      void read(prefill, signal).then(resolve)
    })
  }
  const read = async (prefill: string, signal: AbortSignal): Promise<ChatError> => {
    try {
      for await (const events of generate?.(signal, prefill, meter.spent) ?? []) {
        accept(events, signal)
        if (hasEnded() || signal.aborted) break
      }
      return incompleteReply()
    } catch (cause) {
      if (isChatError(cause)) return cause
      return new ChatError('upstream_failed', 'The model server failed.', { cause, retryable: true })
    }
  }
  /** Decides what follows a failed attempt. @returns How long to wait for the next one, ms; null when there is none. */
  const afterFailure = (error: ChatError): number | null => {
    if (!recoveryPolicy) return null
    const next = stepRecovery(recovery, { now: clock.now(), error, hasYielded }, recoveryPolicy, random)
    recovery = next.state
    return next.retryInMs
  }
  /** Another model server, with patience of its own. */
  const moveOn = (error: ChatError): Successor | null => {
    const successor = failover?.next(error) ?? null
    if (successor) recovery = recoveryStart
    return successor
  }
  const pump = async (): Promise<void> => {
    // Not in the step that makes the run: whoever makes it has to know it before it can end.
    await Promise.resolve()
    let prefill = ''
    while (!hasEnded()) {
      const error = await attempt(prefill)
      if (hasEnded()) return
      // Half a surrogate pair is written again, whole.
      log.cut(log.length)
      const { content, thinking, tool_calls: calls } = log.partial()
      if (calls) return fail(error)
      const waitMs = replacement ? null : afterFailure(error)
      let successor = replacement ?? (waitMs === null || failover?.isOpen ? moveOn(error) : null)
      if (waitMs === null && !successor) return fail(error)
      hasYielded = false
      progress = undefined
      prefill = content.trimEnd()
      meter.next(prefill !== '')
      owed = content.slice(prefill.length)
      if (prefill === '' && thinking) log.append({ reset: 'thinking' })
      stepFuseWith({ type: 'rest' })
      if (!successor) {
        retryIn(waitMs!)
        await pause(waitMs!)
        successor = !hasEnded() && failover?.isOpen ? moveOn(error) : null
      }
      if (successor) retryIn(0, successor)
    }
  }
  const retryIn = (waitMs: number, successor?: Successor): void => {
    retries += 1
    const retry = { attempt: Math.max(1, recovery.attempt), at: clock.now() + waitMs }
    step({ type: 'retry', retry, hasText: firstDeltaAt !== undefined, successor })
    wake()
  }
  /** Ends early with the run, and when there is nothing left to wait for. */
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const disarm = clock.after(ms, () => endPause())
      const leave = failover?.onOpen(() => endPause())
      endPause = () => {
        disarm()
        leave?.()
        resolve()
      }
    })

  const run: Run = {
    runId: options.runId,
    sessionId: options.sessionId,
    model: options.model,
    continues: options.continues,
    log,
    startedAt,
    ended,
    get state() {
      return state
    },
    get firstDeltaAt() {
      return firstDeltaAt
    },
    get endedAt() {
      return endedAt
    },
    get retries() {
      return retries
    },
    get answered() {
      return hasYielded
    },
    get progress() {
      return progress
    },
    get successor() {
      return state.phase === 'ended' ? answeredBy : state.successor
    },
    get usage() {
      return meter.total
    },
    get error() {
      return failure
    },
    get readers() {
      return wakes.size
    },
    interrupt(by, position) {
      const outcome = hasEnded() ? 'already_done' : 'interrupted'
      step({ type: 'interrupt', by, position: log.place(position), usage: meter.total })
      const reason = state.phase === 'ended' ? state.terminal.reason : 'interrupted'
      return { outcome, reason, position: log.length, partial: log.partial(), continues: run.continues }
    },
    attach(reader) {
      disarmOrphan()
      wakes.add(reader)
      return () => {
        if (!wakes.delete(reader) || wakes.size > 0 || hasEnded()) return
        if (orphanMs > 0) disarmOrphan = clock.after(orphanMs, () => void run.interrupt('orphan'))
        else run.interrupt('orphan')
      }
    },
  }
  void pump()
  return run
}
