import { isChatError, type ChatError } from '../../wire/errors.ts'
import type { Json } from '../../wire/json.ts'
import type { SseFrame } from '../../wire/sse.ts'
import type { UpstreamEvent } from '../upstream.ts'
import { createAlike } from './alike.ts'
import type { ReplyDecoder } from './ask-reply.ts'
import { createNotices } from './notices.ts'
import { isDone, readObjects, saysTwice } from './readable.ts'
import { createUnreadable } from './reply-errors.ts'
import type { FrameDecoder } from './sse-frames.ts'

/** What the decoder of one kind of server makes of its frames. */
export interface FrameUse {
  /** Decodes one object. An error in it is said by {@link fail}, and ends the reply. */
  decode(chunk: Json, event: string | undefined, events: UpstreamEvent[]): void
  /** The error that is said by a frame of the event `error`, which is no object. */
  errorOf(said: string): ChatError
  /** A mark of the end. @defaultValue a sign of life */
  done?(mark: string, events: UpstreamEvent[]): void
  /** Fields that change with every frame, and mean nothing or count. */
  readonly stamps: readonly string[]
  /** What a frame has in it that counts; of those that are alike it is told. */
  readonly counting?: RegExp
  counted?(frame: string): void
  /** Whether a frame of this event means what one like it meant before. @defaultValue for those without an event */
  isAlike?(event: string | undefined): boolean
  /** Tells, once, whether what was read has changed what later frames mean. @defaultValue never */
  hasChanged?(): boolean
  /** Told of text that was read without `decode`. */
  heard?(event: UpstreamEvent): void
  /** The reply has finished or failed. */
  isFinished(): boolean
  /** The evidence has come; its event waits for what may come behind it. */
  isProven(): boolean
  /** The reply has failed: gives its error, and is finished. */
  fail(error: ChatError): UpstreamEvent
  /** The frames of one read are over. */
  read?(events: UpstreamEvent[]): void
  /** The body is over. */
  end?(events: UpstreamEvent[]): void
}

/**
 * A decoder out of what cuts frames and what reads their objects. What is too long is an error event behind all that was read
 * before it: a throw would lose the text of the same read.
 */
export function decodeFrames(frames: FrameDecoder, use: FrameUse): ReplyDecoder {
  const { isAlike = (event) => event === undefined } = use
  const alike = createAlike(use.stamps)
  const notices = createNotices()
  const unreadable = createUnreadable(notices.judge, notices.line)
  /** The frame that was learnt counts something. */
  let isCounting = false

  const decode = ({ data, event }: SseFrame, events: UpstreamEvent[]): void => {
    if (event === 'comment' || data === '') return void events.push({ alive: true })
    const canBeAlike = isAlike(event)
    const same = canBeAlike ? alike.read(data) : undefined
    if (same) {
      if (isCounting) use.counted?.(data)
      use.heard?.(same)
      events.push(same)
      return notices.hear(events, events.length - 1)
    }
    const before = events.length
    if (use.done && isDone(data)) whole(events, () => use.done!(data, events))
    else decodeObjects(data, event, events)
    notices.hear(events, before)
    if (events.length === before && !use.isFinished()) events.push({ alive: true })
    if (use.hasChanged?.()) alike.forget()
    else if (canBeAlike && events.length === before + 1 && isAlike(event) && alike.learn(data, events[before]!))
      isCounting = use.counting?.test(data) ?? false
  }
  const decodeObjects = (data: string, event: string | undefined, events: UpstreamEvent[]): void => {
    const chunks = readObjects(data)
    // An error that is no JSON is one all the same.
    if (event === 'error' && !chunks?.length) return void events.push(use.fail(use.errorOf(data)))
    if (!chunks) {
      for (const one of unreadable(data, event)) events.push('error' in one ? use.fail(one.error) : one)
      return
    }
    if (chunks.length > 0 && saysTwice(data)) events.push({ malformed: data.slice(0, 200) })
    for (const chunk of chunks) {
      if (use.isFinished()) return
      if (notices.isLife(chunk, event)) events.push({ alive: true })
      else whole(events, () => use.decode(chunk, event, events))
    }
  }
  /** Takes a step that may be the last: in front of a finish stands what is lost, and the end of one that has none says why. */
  const whole = (events: UpstreamEvent[], step: () => void): void => {
    const before = events.length
    step()
    if (!use.isFinished()) return
    notices.hear(events, before)
    const more = events.slice(before)
    if (more.some((event) => 'finish' in event)) events.splice(before, 0, ...notices.lost())
    else if (!more.some((event) => 'error' in event)) explain(events)
  }
  const explain = (events: UpstreamEvent[]): void => {
    const failure = notices.failure()
    if (failure) events.push(use.fail(failure))
  }
  const decodeAll = (cut: () => readonly SseFrame[]): UpstreamEvent[] => {
    const events: UpstreamEvent[] = []
    try {
      for (const frame of cut()) {
        if (use.isFinished()) break
        decode(frame, events)
      }
    } catch (error) {
      if (!isChatError(error)) throw error
      events.push(use.fail(error))
    }
    return events
  }
  return {
    finished: use.isFinished,
    proven: () => !use.isFinished() && use.isProven(),
    push(bytes) {
      if (use.isFinished()) return []
      notices.read()
      const events = decodeAll(() => frames.push(bytes))
      use.read?.(events)
      return events
    },
    end(isBroken = false) {
      const events = use.isFinished() || isBroken ? [] : decodeAll(frames.end)
      notices.read()
      const isOpen = !use.isFinished()
      if (isOpen) whole(events, () => use.end?.(events))
      if (isOpen && !use.isFinished() && !isBroken) explain(events)
      return events
    },
  }
}
