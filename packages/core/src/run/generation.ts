import type { Clock } from '../clock.ts'
import { fuseDueAt, startFuse, stepFuse, type FusePolicy } from './fuse.ts'
import type { Failover, Successor } from '../pool/failover.ts'
import type { UpstreamSink } from '../upstream/upstream.ts'
import { ChatError, isChatError } from '../wire/errors.ts'
import type { LogEvent } from '../wire/events.ts'
import { systemRandom, type RandomBytes } from '../wire/ids.ts'
import { createAttempt, type Attempt, type AttemptOwner, type Left } from './attempt.ts'
import type { Intact } from './fuse-guard.ts'
import { recoverySeen, recoveryStart, stepRecovery, type RecoveryPolicy } from './recovery.ts'
import type { OwnRun, RunWriter } from './run.ts'
import { createUsageMeter } from './usage.ts'

/** What is asked of the upstream in one attempt. */
interface Question {
  /** The reply so far, to be continued from exactly its end; empty for a reply from the start. */
  readonly prefill: string
  /** Tokens that the prefill took this run, thinking included: as many as are certain. */
  readonly spent: number
}

/** How a reply is made. */
export interface GenerationOptions {
  /** Asks the upstream, when the run starts and once more for each retry. */
  readonly open: (question: Question, sink: UpstreamSink, signal: AbortSignal) => void
  /** Time and timers. */
  readonly clock: Clock
  /** When the run is ended because its upstream misbehaves. */
  readonly fuse: FusePolicy
  /** When to ask again after a failure; without it, the first failure ends the run. */
  readonly recovery?: RecoveryPolicy | undefined
  /** Who goes on when the model server is given up; without it, nobody. */
  readonly failover?: Failover | undefined
  /** Jitter of the waits between attempts. @defaultValue `crypto.getRandomValues` */
  readonly random?: RandomBytes | undefined
}

/**
 * Makes one reply whole: attempt after attempt, until one finishes or nobody is left to ask.
 * @returns How it starts: whoever makes the run has to know it before it can end.
 */
export function createGeneration(own: OwnRun, options: GenerationOptions): { start(): void } {
  const { open, clock, fuse: policy, recovery: recoveryPolicy, failover, random = systemRandom } = options
  const { log } = own.run
  const meter = createUsageMeter()
  let recovery = recoveryStart
  let fuse = startFuse(clock.now()) as Intact
  let holes = 0
  let attempt: Attempt | undefined
  let askedAt = clock.now()
  let prefill = ''
  /** White space at the end of the reply that the prefill left out: a retry writes it again. */
  let pendingWhitespace = ''
  /** The attempt has grown the reply. */
  let hasYielded = false
  /** The app's own events, as JSON, and how many of them this attempt has given: a retry gives them all again. */
  const given: string[] = []
  let giving = 0
  let endWait = (): void => {}

  /**
   * What fails in here is our own code, or what an app has put into it, such as a clock: the run ends with that. It must not hang,
   * and no socket or timer has to bear it.
   */
  const guarded = (step: () => void): void => {
    try {
      step()
    } catch (cause) {
      const fault = new ChatError('internal', 'The gateway failed while the reply was made.', { cause })
      own.fail(isChatError(cause) ? cause : fault, false)
    }
  }
  const ask = (): void => {
    askedAt = clock.now()
    giving = 0
    hasYielded = false
    const question = { prefill, spent: meter.spent() }
    attempt = createAttempt({ clock, policy, fuse, holes, open: (sink, signal) => open(question, sink, signal) }, owner)
    attempt.start()
  }
  const owner: AttemptOwner = {
    append(event, bytes) {
      append(event)
      if (bytes !== undefined) meter.delta(bytes)
    },
    count: ({ usage }) => meter.said(usage),
    show({ progress }) {
      // A call in the making is the reply growing; the others come before it.
      if (progress.stage === 'tool_call') yielded()
      own.show(progress)
    },
    finish: ({ finish, usage }) => own.finish(finish, meter.finished(usage)),
    flush: own.wake,
    fail: (error, isBlown, left) => guarded(() => fail(error, isBlown, left)),
  }
  const append = (event: LogEvent): void => {
    const before = log.length
    if ('data' in event && isRepeated(JSON.stringify(event))) return
    own.append(pendingWhitespace !== '' && 'message' in event ? { message: withoutPending(event.message) } : event)
    if (log.length === before) return
    // An app's event says nothing of the model server, which may not even have been asked yet.
    if ('data' in event) own.grow(false)
    else yielded()
  }
  const yielded = (): void => {
    own.grow(true)
    if (hasYielded) return
    hasYielded = true
    recovery = recoverySeen(recovery)
    failover?.delta()
  }
  const isRepeated = (json: string): boolean => {
    giving += 1
    if (given[giving - 1] === json) return true
    given.splice(giving - 1, Infinity, json)
    return false
  }
  const withoutPending = (text: string): string => {
    let same = 0
    while (same < Math.min(pendingWhitespace.length, text.length) && pendingWhitespace[same] === text[same]) same += 1
    pendingWhitespace = same === text.length ? pendingWhitespace.slice(same) : ''
    return text.slice(same)
  }

  function fail(error: ChatError, isBlown: boolean, left: Left): void {
    // Half a surrogate pair is written again, whole.
    log.cut(log.length)
    const { content, thinking, tool_calls: calls } = log.partial()
    // After a tool call the reply must not be generated again: its side effects may have happened.
    if (calls) return own.fail(error, false)
    const waitMs = afterFailure(error)
    // Another server need not be waited for, where the fuse has judged this one.
    const successor = waitMs === null || isBlown || failover?.isOpen ? moveOn(error) : null
    if (waitMs === null && !successor) return own.fail(error, true)
    prefill = content.trimEnd()
    meter.next(prefill !== '')
    pendingWhitespace = content.slice(prefill.length)
    if (prefill === '' && thinking) own.append({ reset: 'thinking' })
    fuse = stepFuse(left.fuse, { type: 'rest' }, policy) as Intact
    // A reply that starts over has no hole.
    holes = prefill === '' ? 0 : left.holes
    if (successor) askAgain(0, successor)
    else wait(waitMs!, error)
  }
  /** Decides what follows a failed attempt. @returns How long to wait for the next one, ms; null when there is none. */
  const afterFailure = (error: ChatError): number | null => {
    if (!recoveryPolicy) return null
    const standby = failover?.hasStandby ? { askedAt } : undefined
    const next = stepRecovery(recovery, { now: clock.now(), error, hasYielded, standby }, recoveryPolicy, random)
    recovery = next.state
    return next.retryInMs
  }
  /** Another model server, with patience of its own. */
  const moveOn = (error: ChatError): Successor | null => {
    const successor = failover?.next(error) ?? null
    if (successor) recovery = recoveryStart
    return successor
  }
  const tell = (waitMs: number, successor?: Successor): void => {
    const now = clock.now()
    own.retry({ attempt: Math.max(1, recovery.attempt), at: now + waitMs }, successor)
    own.wake(now)
  }
  const askAgain = (waitMs: number, successor: Successor): void => {
    tell(waitMs, successor)
    if (!own.hasEnded()) ask()
  }
  /** Ends early when there is nothing left to wait for. */
  const wait = (ms: number, error: ChatError): void => {
    tell(ms)
    const go = (): void => {
      if (own.hasEnded()) return
      endWait()
      const successor = failover?.isOpen ? moveOn(error) : null
      if (successor) askAgain(0, successor)
      else ask()
    }
    const tooLong = (): void => {
      const blown = stepFuse(fuse, { type: 'tick', now: clock.now() }, policy)
      if (blown.phase === 'blown') own.fail(blown.error, true)
    }
    const leave: (() => void)[] = []
    endWait = () => {
      endWait = () => undefined
      for (const one of leave) one()
    }
    leave.push(clock.after(ms, () => guarded(go)))
    // Between two attempts only the run's own length is bounded.
    leave.push(clock.after(fuseDueAt(fuse, policy) - clock.now(), () => guarded(tooLong)))
    if (failover) leave.push(failover.onOpen(() => guarded(go)))
  }
  const writer: RunWriter = {
    usage: meter.total,
    end() {
      endWait()
      // Whoever has finished is over already, and not aborted: its connection may be used again.
      attempt?.end(new DOMException('The run has ended.', 'AbortError'))
    },
  }
  own.writtenBy(writer)
  return {
    start() {
      if (!own.hasEnded()) guarded(ask)
    },
  }
}
