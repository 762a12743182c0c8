import type { FrameSink, Reader } from './reader.ts'

/**
 * How long a client may be away between two polls, besides `orphanMs`, ms: Chromium lets timers of a hidden page fire once a
 * minute. @see https://developer.chrome.com/blog/timer-throttling-in-chrome-88
 */
export const pollAwayMs = 60_000

/**
 * Reads what is there now, at once: that is all of the answer. The reader counts, and `unreadMs` runs, until the answer has been
 * taken.
 */
export function createPollReader(reader: Reader): Reader {
  let frames = ''
  let to: FrameSink | undefined
  let failure: { readonly error: unknown } | undefined
  const end = (): void => {
    reader.cancel()
    to?.end()
    to = undefined
  }
  reader.start({
    write(written) {
      frames = written
      // There is room for nothing more.
      return false
    },
    end: () => undefined,
    fail(error) {
      frames = ''
      failure = { error }
      to?.fail(error)
    },
  })
  return {
    start(sink) {
      if (failure) return sink.fail(failure.error)
      to = sink
      const written = frames
      frames = ''
      if (sink.write(written)) end()
    },
    resume: end,
    progress: () => reader.progress(),
    cancel() {
      to = undefined
      reader.cancel()
    },
  }
}
