import type { Clock } from '../clock.ts'
import { fuseInput, type FusePolicy } from './fuse.ts'
import { holedReply, incompleteReply } from '../upstream/reply/reply-errors.ts'
import type { UpstreamEvent, UpstreamSink } from '../upstream/upstream.ts'
import { ChatError, isChatError } from '../wire/errors.ts'
import type { LogEvent } from '../wire/events.ts'
import { utf8Bytes } from '../wire/utf8-bytes.ts'
import { checkedEvent } from './checked-event.ts'
import { createFuseGuard, type Intact } from './fuse-guard.ts'

type Said<Name extends string> = Extract<UpstreamEvent, { readonly [Key in Name]: unknown }>

/** What an attempt tells of, as it comes. Any of it may end the attempt. */
export interface AttemptOwner {
  /** @param bytes - Size of a delta of the upstream, UTF-8; undefined for an event of the app. */
  append(event: LogEvent, bytes: number | undefined): void
  count(event: Said<'usage'>): void
  show(event: Said<'progress'>): void
  finish(event: Said<'finish'>): void
  /** The batch is over. */
  flush(now: number): void
  /**
   * It has failed, and nothing follows. Never throws: who tells of it may be a socket or a timer.
   * @param isBlown - The fuse has judged it.
   * @param left - What it leaves for the next attempt.
   */
  fail(error: ChatError, isBlown: boolean, left: Left): void
}

/** What an attempt hands on to the next one: some bounds are those of the reply and not of one attempt. */
export interface Left {
  /** The reply's size and its start are those of all attempts. */
  readonly fuse: Intact
  /** Frames that could not be read and that text came after: with one of them no reply is known to be whole. */
  readonly holes: number
}

export interface AttemptOptions extends Left {
  readonly clock: Clock
  readonly policy: FusePolicy
  readonly open: (sink: UpstreamSink, signal: AbortSignal) => void
}

/** One request to a model server, from its start to its end. */
export interface Attempt {
  /** Asks. What comes may end the attempt in this very call. */
  start(): void
  /** Nothing of it counts any more. @param reason - Why it is aborted; without one it is left alone, as it has finished. */
  end(reason?: unknown): void
}

/** Makes an attempt that has not asked yet. An upstream that ignores its abort is not waited for. */
export function createAttempt(options: AttemptOptions, owner: AttemptOwner): Attempt {
  const { clock } = options
  const abort = new AbortController()
  let { holes } = options
  /** Frames that could not be read since the last text: what they lost is written again by whoever goes on from that text. */
  let unread = 0
  let isOver = false

  const end = (reason?: unknown): void => {
    if (isOver) return
    isOver = true
    fuse.stop()
    if (reason !== undefined) abort.abort(reason)
  }
  const fail = (error: ChatError, isBlown: boolean): void => {
    if (isOver) return
    end(error)
    owner.fail(error, isBlown, { fuse: fuse.state(), holes })
  }
  const fuse = createFuseGuard(clock, options.policy, options.fuse, (error) => fail(error, true))

  /** Text past a bound is not logged: the fuse comes first. */
  const grow = (event: LogEvent, bytes: number, now: number): void => {
    fuse.delta(bytes, now)
    if (isOver) return
    holes += unread
    unread = 0
    owner.append(event, bytes)
  }
  const take = (event: UpstreamEvent, now: number): void => {
    if ('error' in event) return fail(toChatError(event.error), false)
    if ('finish' in event) {
      holes += unread
      if (holes > 0) return fail(holedReply(holes), false)
      end()
      return owner.finish(event)
    }
    const input = fuseInput(event, now)
    if (input.type === 'delta' && !('progress' in event)) return grow(event as LogEvent, input.bytes, now)
    fuse.step(input)
    if ('malformed' in event) unread += 1
    if (isOver || 'alive' in event || 'malformed' in event) return
    if ('usage' in event) owner.count(event)
    else if ('progress' in event) owner.show(event)
    else owner.append(event, undefined)
  }
  const sink: UpstreamSink = {
    push(events) {
      if (isOver) return
      const now = clock.now()
      try {
        for (const event of events) {
          // Most events are text, and take the short way.
          const text = textOf(event)
          if (text) grow(event as LogEvent, utf8Bytes(text), now)
          else take(checkedEvent(event), now)
          if (isOver) break
        }
        owner.flush(now)
      } catch (cause) {
        // The server has said something; who could make nothing of it is not the server.
        const own = new ChatError('internal', 'The gateway failed at what its upstream gave.', { cause })
        fail(isChatError(cause) ? cause : own, false)
      }
    },
    end: (error) => fail(error === undefined ? incompleteReply() : toChatError(error), false),
  }
  return {
    start() {
      fuse.step({ type: 'ask', now: clock.now() })
      try {
        options.open(sink, abort.signal)
      } catch (cause) {
        fail(toChatError(cause), false)
      }
    },
    end,
  }
}

/** The text of an event that is nothing else, if there is any. */
function textOf(event: UpstreamEvent): string | undefined {
  const text: unknown = 'message' in event ? event.message : 'thinking' in event ? event.thinking : undefined
  return typeof text === 'string' ? text : undefined
}

function toChatError(cause: unknown): ChatError {
  if (isChatError(cause)) return cause
  return new ChatError('upstream_failed', 'The model server failed.', { cause, retryable: true })
}
