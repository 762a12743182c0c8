import { ChatError, type ChatErrorCode, type ChatEvent, type ErrorBody, type LogEvent } from '@midstream/core'
import { abortable } from './abort.ts'
import { createEventStream } from './event-stream.ts'
import { isDocument, isEventStream, notTheGateway } from './refusal.ts'

/** One event of a body, with the position after it if its frame names one. */
export interface Received {
  readonly type: 'event'
  readonly event: ChatEvent
  readonly position: number | undefined
}

/** Longest frame, UTF-16 code units: the client holds it in memory until it is complete. */
const maxChars = 4_194_304

/**
 * Reads the events of a body; events that came in one read come at once. A caller that leaves the loop cancels the body.
 * A platform whose `fetch` has no body streams (React Native) gets all events at the body's end.
 * @returns A batch for each read that brought an event, or a part of one: what a layer sends to keep a connection open is no
 * sign of the gateway. Ends when the body ends.
 * @throws {ChatError} `overflow`; `network` if the body is no event stream; `dropped` if a frame of it is broken.
 */
export async function* readEvents(
  response: Response,
  signal?: AbortSignal,
): AsyncGenerator<readonly Received[], void, undefined> {
  const body = response.body as ReadableStream<Uint8Array> | null | undefined
  const decoder = createDecoder(response)
  if (!canStream(response)) {
    yield decoder.push(await abortable(response.text(), signal))
    yield decoder.end()
    return
  }
  const utf8 = new TextDecoder()
  // Not `for await` over the body, which Safari lacks.
  const reader = body!.getReader()
  try {
    for (;;) {
      const { done, value } = await abortable(reader.read(), signal)
      const batch = done ? decoder.end() : decoder.push(utf8.decode(value, { stream: true }))
      if (batch.length > 0 || decoder.isWithin) yield batch
      if (done) return
    }
  } finally {
    // Releasing the lock alone would leave the connection open. A body that hangs is not waited for.
    void reader.cancel().catch(() => undefined)
  }
}

const logKinds = ['message', 'thinking', 'tool_call', 'data', 'reset'] as const
const kinds: readonly string[] = ['session_id', ...logKinds, 'status', 'ping', 'done']

/** Tells whether the body of a response can be read while it comes. */
export function canStream({ body }: Response): boolean {
  return typeof (body as ReadableStream | null | undefined)?.getReader === 'function'
}

interface Decoder {
  push(text: string): readonly Received[]
  /** The body ended. */
  end(): readonly Received[]
  /** Whether an event has come in part. */
  readonly isWithin: boolean
}

/** Longest beginning of a body without a frame, UTF-16 code units. */
const maxHead = 64

function createDecoder(response: Response): Decoder {
  let received: Received[] = []
  let failure: ChatError | undefined
  /** Whether the body has had a frame. Until then it may be a page. */
  let isStream = false
  /** Whether it has had an event of the gateway, and a frame of somebody else's API. */
  let isOurs = false
  let isForeign = false
  let head = ''
  const stream = createEventStream(maxChars, (data, id) => {
    isStream = true
    try {
      const events = toReceived(data, id)
      if (events?.length) isOurs = true
      else if (events) isForeign = true
      received.push(...(events ?? []))
    } catch (cause) {
      failure ??= new ChatError('dropped', 'A frame of the stream is broken', { cause, retryable: true })
    }
  })
  const feed = (text: string): void => {
    if (stream.feed(text)) failure ??= new ChatError('overflow', 'The frame is too long')
  }
  const check = (...codes: readonly ChatErrorCode[]): void => {
    if (failure && codes.includes(failure.code)) throw failure
  }
  return {
    push(text) {
      // What came before a broken frame is given out first.
      check('overflow', 'dropped')
      received = []
      if (!isStream) head = (head + text).trimStart().slice(0, maxHead)
      // Said at once: a body that stays open has no end.
      if (!isStream && !isLikeFrames(head)) throw notTheGateway(response)
      feed(text)
      if (received.length === 0) check('overflow', 'dropped')
      return received
    },
    end() {
      check('overflow', 'dropped')
      received = []
      const isWord = head !== '' && !head.includes(':') && isDocument(response)
      const isEmpty = head === '' && !isEventStream(response)
      if (!isStream && (isWord || isEmpty || response.status === 204)) throw notTheGateway(response)
      // Layers trim the last blank line. A frame that was cut off does not parse, as its JSON lacks the last brace.
      feed('\n\n')
      check('overflow')
      // Another API's stream, which asking again would start again.
      if (isForeign && !isOurs) throw notTheGateway(response)
      return received
    },
    get isWithin() {
      return stream.isWithin
    },
  }
}

/** Whether frames may begin like this: with a comment or a field, which may not be all there. */
function isLikeFrames(head: string): boolean {
  const [field] = head.split(/[:\r\n]/, 1)
  return fields.some((name) => (field === head ? name.startsWith(head) : field === '' || name === field))
}
const fields = ['data', 'id', 'event', 'retry']

/**
 * The events of one frame. A frame that has several kinds, merged by a layer in between, is several events. Unknown frames,
 * `[DONE]` and text that a proxy sends to keep the connection alive are none.
 * @returns Undefined if the frame is no JSON object.
 * @throws {SyntaxError} If the JSON is broken.
 */
function toReceived(data: string, id: string | undefined): Received[] | undefined {
  // A layer that frames what is framed already doubles the field's name.
  const json = data.replace(/^(?:\s*data:)+/, '')
  if (!json.trimStart().startsWith('{')) return undefined
  const frame = withEnd(JSON.parse(json) as Frame)
  const found = kinds.filter((kind) => isOf(kind, frame))
  const events = found.map((kind) => {
    const own = Object.entries(frame).filter(([key]) => key === kind || !kinds.includes(key))
    return (found.length === 1 && own.length === Object.keys(frame).length
      ? frame
      : Object.fromEntries(own)) as unknown as ChatEvent
  })
  // Layers may give every frame an id of their own, or repeat the last one.
  let position = id !== undefined && /^\d{1,15}$/.test(id) ? Number(id) : undefined
  return events
    .toReversed()
    .map((event): Received => {
      if (!isLogEvent(event)) return { type: 'event', event, position: undefined }
      const received: Received = { type: 'event', event, position }
      if (position !== undefined) position -= units(event)
      return received
    })
    .toReversed()
}

type Frame = Readonly<Record<string, unknown>>

/** A frame without its nulls, which layers in typed languages add. An end that says less than one of the gateway is an end all the same. */
function withEnd(given: Frame): Frame {
  const frame = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
  if (frame['done'] !== true) return frame
  const { reason, position, error, ...rest } = frame
  const at = typeof position === 'number' ? { position } : {}
  if (reason && typeof reason === 'string' && reason !== 'error') return { ...rest, reason, ...at }
  const { code, message = error } = Object(error) as Partial<ErrorBody>
  const said = typeof message === 'string' && message
  const body =
    typeof code === 'string'
      ? error
      : {
          code: reason === 'error' ? 'internal' : 'dropped',
          message: said || 'The reply ended without a reason',
          retryable: false,
        }
  return { ...rest, reason: 'error', error: body, ...at }
}

/** Tells whether a frame has an event of a kind, with the values that such an event has. */
function isOf(kind: string, frame: Frame): boolean {
  const value = frame[kind]
  if (kind === 'done') return value === true
  if (kind === 'tool_call' || kind === 'data') return typeof value === 'object'
  return typeof value === 'string'
}

/** Tells whether an event is a part of the run's log. */
export function isLogEvent(event: ChatEvent): event is LogEvent {
  return logKinds.some((kind) => kind in event)
}

/** How many units of the run's log an event is. */
export function units(event: LogEvent): number {
  if ('message' in event) return event.message.length
  return 'thinking' in event ? event.thinking.length : 1
}
