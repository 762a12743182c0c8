import { createSseDecoder, type SseDecoder, type SseFrame } from '../../wire/sse.ts'
import { createWholeLines } from '../../wire/whole-lines.ts'

/** Longest frame, UTF-16 code units. */
const defaultMaxChars = 1_048_576

/**
 * The frames of a model server, with its comments, and with errors that it says in a field of their own. While its stream is
 * silent, it holds little memory.
 */
export function createSseFrames(maxChars: number = defaultMaxChars): SseDecoder {
  const sse = createSseDecoder({ maxChars, comments: true, errorFields: true })
  let overflow: { readonly error: unknown } | undefined
  const take = (bytes: Uint8Array): SseFrame[] => {
    try {
      return sse.push(bytes)
    } catch (error) {
      overflow = { error }
      return []
    }
  }
  const feed = createWholeLines(take, maxChars)
  return {
    push(bytes) {
      const frames = feed(bytes)
      // What came before the long frame, in the same read, is given out first.
      if (overflow && frames.length === 0) throw overflow.error
      return frames
    },
  }
}
