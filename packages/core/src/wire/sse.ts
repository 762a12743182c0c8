import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { ChatError } from './errors.ts'

/** One decoded SSE frame. @public */
export interface SseFrame {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string
}

/** @public */
export interface SseDecoder {
  /**
   * Frames completed by these bytes, in order; any split of the bytes gives the same frames.
   * @throws {ChatError} `overflow` once an unfinished frame is longer than `maxChars`; the decoder is spent then.
   */
  push(bytes: Uint8Array): SseFrame[]
}

const defaultMaxChars = 4_194_304

/** @public */
export interface SseDecoderOptions {
  /** Longest frame, UTF-16 code units: what is held in memory until it is complete. @defaultValue 4194304 */
  readonly maxChars?: number | undefined
  /** Whether comments are given out as well, as frames with the event `comment`. @defaultValue false */
  readonly comments?: boolean | undefined
}

/**
 * Creates a decoder for one SSE body. Unknown fields are ignored; a frame that the body's end cuts off is never given
 * out (WHATWG HTML §9.2.6), because for a chat it is evidence of truncation.
 * @public
 */
export function createSseDecoder(options: SseDecoderOptions = {}): SseDecoder {
  const { maxChars = defaultMaxChars, comments = false } = options
  // Made anew for each read and not after one: an array that grew old while its stream was silent would, once dead, hold all
  // that was put into it until the next full garbage collection.
  let frames: SseFrame[] | undefined
  let overflow = false
  // The parser strips the one leading BOM; a decoder that did so too would strip two.
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  const parser = createParser({
    maxBufferSize: maxChars,
    onEvent: (message: EventSourceMessage) => void frames?.push(message as SseFrame),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') overflow = true
    },
    onComment: comments ? (data) => void frames?.push({ id: undefined, event: 'comment', data }) : undefined,
  })
  return {
    push(bytes) {
      const complete: SseFrame[] = (frames = [])
      if (!overflow) parser.feed(utf8.decode(bytes, { stream: true }))
      frames = undefined
      // What came before the long frame is given out first; a decoder that has overflowed throws ever after.
      if (overflow && complete.length === 0)
        throw new ChatError('overflow', `An SSE frame is longer than ${maxChars} characters.`)
      return complete
    },
  }
}

/**
 * One frame as text.
 * @param position - Becomes the frame's `id`. Default: none.
 * @public
 */
export function encodeSse(json: string, position?: number): string {
  return position === undefined ? `data: ${json}\n\n` : `id: ${position}\ndata: ${json}\n\n`
}

/**
 * SSE decoding as a stage: bytes in, frames out. Backpressure and cancel pass through.
 * @public
 */
export function sseDecode(options: SseDecoderOptions = {}): TransformStream<Uint8Array, SseFrame> {
  const decoder = createSseDecoder(options)
  return new TransformStream({
    transform(bytes, out) {
      for (const frame of decoder.push(bytes)) out.enqueue(frame)
    },
    // A frame that was too long in the last read, behind whole ones, is said now.
    flush: () => void decoder.push(new Uint8Array()),
  })
}
