import type { Clock } from '../../clock.ts'
import { ChatError } from '../../wire/errors.ts'
import type { AnswerFacts } from '../openai/dialects.ts'
import type { Json } from '../../wire/json.ts'
import { httpError, readText, unreachable } from '../http/http.ts'
import { written } from './reply-errors.ts'
import type { Seam } from './seam.ts'
import type { Transport } from '../http/transport.ts'
import type { UpstreamEvent } from '../upstream.ts'

/** How long the words of an error are waited for, ms. */
const errorMs = 2_000
/** How long what follows a whole reply is read, ms: only a connection whose answer was read to its end is used again. */
const restMs = 100
/** How much of it is read, bytes. */
const maxRest = 65_536

/** How much of an answer that is no reply is kept for the log, UTF-16 code units. */
const maxHead = 8_192

/** One question, and how to read an answer that is none. */
export interface Question {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Json
  readonly model: string
  /** Longest wait for a connection, ms. @defaultValue as long as the transport waits */
  readonly connectMs?: number | undefined
  /** What the server's own words mean, where a status came with them. @defaultValue what is known of all */
  readonly errors?: AnswerFacts['errors']
  /** @defaultValue 'text/event-stream' */
  readonly accept?: string | undefined
}

/** A stream of events that has begun. */
export interface OpenReply {
  /** Leaving the loop closes the connection; after a finish what is left is read first, for a moment, in the background. */
  readonly body: AsyncIterable<Uint8Array>
  /** To be told what the body held. */
  heard(events: readonly UpstreamEvent[]): void
  /** It says that it is one piece of JSON: a whole reply, an error, or nothing that anybody asked for. */
  readonly isJson: boolean
}

/**
 * Asks for a stream of events.
 * @throws {ChatError} When there is no answer, a refusal, or something that is no stream.
 */
export async function openReply(
  transport: Transport,
  question: Question,
  clock: Clock,
  signal: AbortSignal,
): Promise<OpenReply> {
  const { url, headers, accept = 'text/event-stream', model } = question
  const left = new AbortController()
  const close = (): void => left.abort()
  const body = written(() => JSON.stringify(question.body))
  const response = await transport({
    method: 'POST',
    url,
    headers: { ...headers, 'content-type': 'application/json', accept },
    body,
    connectMs: question.connectMs,
    signal: AbortSignal.any([signal, left.signal]),
  }).catch((cause: unknown) => unreachable(cause, signal))
  const isAnswer = response.status === 200
  const type = response.header('content-type') ?? ''
  if (isAnswer && !/html/i.test(type)) return { ...opened(response.body, close, clock), isJson: /\/json/i.test(type) }
  const now = clock.now()
  const disarm = clock.after(errorMs, close)
  const said = await readText(response)
  disarm()
  signal.throwIfAborted()
  if (!isAnswer) throw httpError(response, said, model, now, question.errors)
  // A proxy's page: whatever it says, it is no reply in the making.
  throw noReply(said)
}

function noReply(said: string): ChatError {
  const message = 'The model server answered with something that is no reply.'
  return new ChatError('upstream_malformed', message, { cause: said, retryable: true })
}

function opened(body: AsyncIterable<Uint8Array>, close: () => void, clock: Clock): Omit<OpenReply, 'isJson'> {
  const bytes = body[Symbol.asyncIterator]()
  let isWhole = false
  const leave = async (): Promise<IteratorReturnResult<undefined>> => {
    if (isWhole) void readRest(bytes, close, clock)
    else await bytes.return?.()
    return { done: true, value: undefined }
  }
  return {
    body: { [Symbol.asyncIterator]: () => ({ next: () => bytes.next(), return: leave }) },
    heard: (events) => void (isWhole ||= events.some((event) => 'finish' in event)),
  }
}

async function readRest(bytes: AsyncIterator<Uint8Array>, close: () => void, clock: Clock): Promise<void> {
  let left = maxRest
  const giveUp = (): void => {
    left = 0
    close()
    // How the connection of a whole reply ends concerns nobody.
    bytes.return?.().catch(() => undefined)
  }
  const disarm = clock.after(restMs, giveUp)
  try {
    while (left > 0) {
      const read = await bytes.next()
      if (read.done) return
      left -= read.value.length
    }
    giveUp()
  } catch {
    // As above.
  } finally {
    disarm()
  }
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
  readonly finished: boolean
}

/** The events of an answer, one read of the socket at a time. Returns after the finish, an error or the end of the body. */
export async function* readReply(
  reply: OpenReply,
  decoder: ReplyDecoder,
  seam: Seam,
  signal: AbortSignal,
): AsyncGenerator<UpstreamEvent[], void, undefined> {
  const utf8 = new TextDecoder()
  /** What the body says, while it says nothing of a reply. */
  let head = ''
  let isReply = false
  /** It says something, and that is no stream. */
  let isOther = false
  const isBad = (event: UpstreamEvent): boolean => 'malformed' in event
  const understand = (events: readonly UpstreamEvent[]): void =>
    void (isReply ||= events.some((event) => !('alive' in event || isBad(event))))
  try {
    for await (const bytes of reply.body) {
      const events = seam.push(decoder.push(bytes))
      reply.heard(events)
      understand(events)
      isOther ||= events.some(isBad)
      if (!isReply && head.length < maxHead) head += utf8.decode(bytes, { stream: true }).slice(0, maxHead)
      if (events.length > 0) yield events
      if (decoder.finished) {
        // Said where the server has ended its reply without evidence: what was held back counts all the same.
        const rest = seam.end()
        if (rest.length > 0) yield rest
        return
      }
    }
  } catch (cause) {
    // The evidence was there before the socket broke: the reply is whole.
    const events = signal.aborted ? [] : decoder.end(true)
    const isOver = events.some((event) => 'finish' in event || 'error' in event)
    const last = signal.aborted ? [] : isOver ? seam.push(events) : seam.end()
    if (last.length > 0) yield last
    if (!isOver) unreachable(cause, signal)
    return
  }
  const events = [...seam.push(decoder.end()), ...seam.end()]
  understand(events)
  // What was cut off is not known to be something else.
  if (!isReply && (isOther || (reply.isJson && !events.some(isBad)))) throw noReply(head)
  if (events.length > 0) yield events
}
