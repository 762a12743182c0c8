import type { Clock } from '../../clock.ts'
import type { ChatError } from '../../wire/errors.ts'
import type { Json } from '../../wire/json.ts'
import { childAbort } from '../http/child-abort.ts'
import { httpError, isSuccess, maxErrorChars, unreachable } from '../http/http.ts'
import type { Transport, TransportHead, TransportRequest } from '../http/transport.ts'
import type { ErrorWords } from '../http/error-meaning.ts'
import type { UpstreamEvent, UpstreamSink } from '../upstream.ts'
import { errorPhase, nothing, pagePhase, restPhase, type Phase } from './body-phases.ts'
import { noReply, written } from './reply-errors.ts'
import type { Seam } from './seam.ts'

/** How long more of a reply is waited for behind its evidence, where the body does not end, ms. */
const behindMs = 5_000

/** One question to a model server. */
export interface Question {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Json
  readonly model: string
  /** Longest wait for a connection, ms. @defaultValue as long as the transport waits */
  readonly connectMs?: number | undefined
  /** What the server's own words mean, where a status came with them. @defaultValue what is known of all */
  readonly errors?: ErrorWords | undefined
  /** @defaultValue 'text/event-stream' */
  readonly accept?: string | undefined
}

/** Turns the bytes of one answer into events. */
export interface ReplyDecoder {
  /** @throws {ChatError} `overflow` on what is too long. */
  push(bytes: Uint8Array): UpstreamEvent[]
  /**
   * The body has ended: gives the finish, if its evidence had come.
   * @param isBroken - The connection broke: a frame without its end does not count, though it looks whole.
   */
  end(isBroken?: boolean): UpstreamEvent[]
  /** The reply has finished or failed: nothing after that counts. */
  finished(): boolean
  /** The evidence has come; its event waits for what may come behind it, or for the end of the body. */
  proven(): boolean
}

/** How an answer is read. */
export interface Reading {
  readonly decoder: ReplyDecoder
  readonly seam: Seam
  readonly clock: Clock
}

/**
 * Asks for a reply and pushes its events, in the call in which its bytes are read. After a finish the rest of the body is read, for
 * a moment, so that the connection is used again; after everything else it is closed.
 * @throws {ChatError} `internal`, when the question cannot be written.
 */
export function askReply(
  transport: Transport,
  question: Question,
  reading: Reading,
  sink: UpstreamSink,
  signal: AbortSignal,
): void {
  const { url, headers, accept = 'text/event-stream', model, connectMs } = question
  const body = written(() => JSON.stringify(question.body))
  const left = childAbort(signal)
  const close = (): void => left.abort()
  const fail = (error: unknown): void => {
    phase = nothing
    close()
    sink.end(error)
  }
  const begun = ({ status, header }: TransportHead): Phase => {
    const type = header('content-type') ?? ''
    // Whatever success it is called, the content decides: proxies and frameworks answer 201, 202 or 206.
    const isFine = isSuccess(status)
    const reply = (isJson: boolean): Phase => replyPhase(reading, sink, left.signal, isJson, ended, fail)
    if (isFine && !/html/i.test(type)) return reply(/\/json/i.test(type))
    // A proxy's page with status 200: whatever it says, it is no reply in the making.
    const errorOf = (said: string): ChatError =>
      status === 204 || status === 205
        ? noReply(`HTTP ${status}`, `The model server answered without a body (HTTP ${status}).`)
        : isFine
          ? noReply(said)
          : httpError({ status, header }, said, model, reading.clock.now(), question.errors)
    const error = (): Phase => errorPhase(reading.clock, (said) => fail(errorOf(said)))
    return isFine ? pagePhase(reply, error) : error()
  }
  const ended = (isWhole: boolean): void => {
    phase = isWhole ? restPhase(reading.clock, close) : nothing
    if (!isWhole) close()
    sink.end()
  }
  /** Takes one step, or ends the reply where that fails: a frame is too long, say. */
  const take = (step: 'data' | 'end' | 'error', what: unknown): void | Promise<void> => {
    try {
      if (step === 'data') return phase.data(what as Uint8Array)
      if (step === 'end') phase.end()
      else if (signal.aborted) phase.stop?.()
      else phase.error(what)
    } catch (error) {
      fail(error)
    }
    return undefined
  }
  let phase: Phase = {
    data: () => undefined,
    end: () => fail(unreachable(undefined)),
    error: (cause) => fail(unreachable(cause)),
  }
  const request: TransportRequest = {
    method: 'POST',
    url,
    headers: { ...headers, 'content-type': 'application/json', accept },
    body,
    connectMs,
    signal: left.signal,
  }
  try {
    transport(request, {
      head: (head) => void (phase = begun(head)),
      data: (bytes) => take('data', bytes),
      end: () => void take('end', undefined),
      error: (cause) => void take('error', cause),
    })
  } catch (cause) {
    fail(unreachable(cause))
  }
}

/**
 * @param isJson - It says that it is one piece of JSON: a whole reply, an error, or nothing that anybody asked for.
 * @param ended - Told of its end; `isWhole`: a finish has come, and the rest of the body may.
 */
function replyPhase(
  { decoder, seam, clock }: Reading,
  sink: UpstreamSink,
  signal: AbortSignal,
  isJson: boolean,
  ended: (isWhole: boolean) => void,
  fail: (error: unknown) => void,
): Phase {
  const utf8 = new TextDecoder()
  /** What the body says, while it says nothing of a reply. */
  let head = ''
  let isReply = false
  /** It says something, and that is no stream. */
  let isOther = false
  const understand = (events: readonly UpstreamEvent[]): void => {
    isReply ||= events.some((event) => !('alive' in event || isBad(event)))
    isOther ||= events.some(isBad)
  }
  const give = (events: readonly UpstreamEvent[]): void | Promise<void> =>
    events.length > 0 ? sink.push(events) : undefined
  /** Ends the wait for the end of a body whose reply is over by its evidence: some servers leave it open. */
  let disarm = (): void => {}
  let isArmed = false
  const waitForEnd = (events: readonly UpstreamEvent[]): void => {
    if (isArmed && events.every((event) => 'alive' in event)) return
    if (!isArmed) signal.addEventListener('abort', () => disarm(), { once: true })
    disarm()
    isArmed = true
    disarm = clock.after(behindMs, () => {
      void give([...seam.push(decoder.end()), ...seam.end()])
      ended(false)
    })
  }
  return {
    data(bytes) {
      const events = seam.push(decoder.push(bytes))
      if (!isReply) {
        if (head.length < maxErrorChars) head += utf8.decode(bytes, { stream: true }).slice(0, maxErrorChars)
        understand(events)
      }
      if (!decoder.finished()) {
        if (decoder.proven()) waitForEnd(events)
        return give(events)
      }
      disarm()
      // Said where the server has ended its reply without evidence: what was held back counts all the same.
      void give([...events, ...seam.end()])
      ended(events.some((event) => 'finish' in event))
      return undefined
    },
    end() {
      disarm()
      const events = [...seam.push(decoder.end()), ...seam.end()]
      const isCut = events.some(isBad)
      if (!isReply) understand(events.filter((event) => !isBad(event)))
      // What was cut off is not known to be something else.
      if (!isReply && (isOther || (isJson && !isCut))) return fail(noReply(head))
      void give(events)
      ended(false)
    },
    error(cause) {
      disarm()
      const last = decoder.end(true)
      // The evidence was there before the socket broke: the reply is whole.
      const isOver = last.some((event) => 'finish' in event || 'error' in event)
      void give(isOver ? seam.push(last) : seam.end())
      if (isOver) ended(false)
      else fail(unreachable(cause))
    },
  }
}

const isBad = (event: UpstreamEvent): boolean => 'malformed' in event
