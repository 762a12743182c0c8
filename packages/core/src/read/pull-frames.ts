import type { FrameSink, Reader } from './reader.ts'

/** A reader as a stream of texts that is pulled. @public */
export interface FrameReader {
  /** The next frames, as one text, as soon as they are due; null after the terminal frame or `cancel()`. */
  next(): Promise<string | null>
  /** Gives the reader up. */
  cancel(): void
}

/** Pulls a reader: each `next` is room for one write. @public */
export function pullFrames(reader: Reader): FrameReader {
  let settle: { resolve(frames: string | null): void; reject(error: unknown): void } | undefined
  let isStarted = false
  let isOver = false
  let failure: { readonly error: unknown } | undefined
  const take = (): typeof settle => {
    const taken = settle
    settle = undefined
    return taken
  }
  const sink: FrameSink = {
    write(frames) {
      take()?.resolve(frames)
      return false
    },
    end() {
      isOver = true
      take()?.resolve(null)
    },
    fail(error) {
      failure = { error }
      take()?.reject(error)
    },
  }
  return {
    next() {
      if (failure) return Promise.reject(failure.error)
      if (isOver) return Promise.resolve(null)
      return new Promise((resolve, reject) => {
        settle = { resolve, reject }
        if (isStarted) return reader.resume()
        isStarted = true
        reader.start(sink)
      })
    },
    cancel() {
      isOver = true
      reader.cancel()
      take()?.resolve(null)
    },
  }
}
