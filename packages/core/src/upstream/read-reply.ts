import type { Clock } from '../clock.ts'
import { ChatError } from '../wire/errors.ts'
import { parsedJson, record, type Json } from '../wire/json.ts'
import { httpError, readText, unreachable } from './http.ts'
import type { Seam } from './seam.ts'
import type { Transport, TransportResponse } from './transport.ts'
import type { UpstreamEvent } from './upstream.ts'

/** One question, and how to read an answer that is none. */
export interface Question {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Json
  readonly model: string
  /** The error in a body that is no stream, if it is one. */
  errorOf(body: Json): ChatError | undefined
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
): Promise<TransportResponse> {
  const response = await transport({
    method: 'POST',
    url: question.url,
    headers: { ...question.headers, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify(question.body),
    signal,
  }).catch((cause: unknown) => unreachable(cause, signal))
  if (response.status !== 200) {
    const error = await httpError(response, question.model, clock.now())
    signal.throwIfAborted()
    throw error
  }
  if (!/json|html/i.test(response.header('content-type') ?? '')) return response
  // A proxy's page, or a server that has no streams: whatever it says, it is no reply in the making.
  const said = await readText(response)
  const message = 'The model server answered with something that is no stream of events.'
  throw question.errorOf(record(parsedJson(said))) ?? new ChatError('upstream_malformed', message, { cause: said })
}

/** Turns the bytes of one answer into events. */
export interface ReplyDecoder {
  /** @throws {ChatError} `overflow` on what is too long. */
  push(bytes: Uint8Array): UpstreamEvent[]
  /** The body has ended: gives the finish, if its evidence had come. */
  end(): UpstreamEvent[]
  /** The reply has finished or failed: nothing after that counts. */
  readonly finished: boolean
}

/** The events of an answer, one read of the socket at a time. Returns after the finish, an error or the end of the body. */
export async function* readReply(
  response: TransportResponse,
  decoder: ReplyDecoder,
  seam: Seam,
  signal: AbortSignal,
): AsyncGenerator<UpstreamEvent[], void, undefined> {
  try {
    for await (const bytes of response.body) {
      const events = seam.push(decoder.push(bytes))
      if (events.length > 0) yield events
      if (decoder.finished) return
    }
  } catch (cause) {
    // The evidence was there before the socket broke: the reply is whole.
    const events = signal.aborted ? [] : decoder.end()
    if (events.length === 0) unreachable(cause, signal)
    yield seam.push(events)
    return
  }
  const events = [...seam.push(decoder.end()), ...seam.end()]
  if (events.length > 0) yield events
}
