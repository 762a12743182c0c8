/** A source that counts how often it was asked, and tells when it was cancelled. */
export interface CountingSource<T> {
  readonly readable: ReadableStream<T>
  /** Values given out so far. */
  readonly given: number
  /** Settles with the reason when the stream is cancelled. */
  readonly cancelled: Promise<unknown>
}

/** Gives values for ever, one a pull; `pace` is awaited before each. */
export function endless<T>(value: (index: number) => T, pace?: () => Promise<void>): CountingSource<T> {
  let given = 0
  let cancel: (reason: unknown) => void
  const cancelled = new Promise<unknown>((resolve) => (cancel = resolve))
  const readable = new ReadableStream<T>(
    {
      async pull(out) {
        await pace?.()
        out.enqueue(value(given))
        given += 1
      },
      cancel: (reason) => cancel(reason),
    },
    { highWaterMark: 0 },
  )
  return {
    readable,
    cancelled,
    get given() {
      return given
    },
  }
}

/** A stage with its two ends in the hands of the test, and everything it gave out so far. */
export interface Staged<In, Out> {
  readonly writer: WritableStreamDefaultWriter<In>
  readonly reader: ReadableStreamDefaultReader<Out>
  readonly out: Out[]
  /** Settles as the stage's readable side does. */
  readonly ended: Promise<void>
}

/** Reads a stage as fast as it gives. */
export function drained<In, Out>(stage: TransformStream<In, Out>): Staged<In, Out> {
  const writer = stage.writable.getWriter()
  const reader = stage.readable.getReader()
  const out: Out[] = []
  const drain = async (): Promise<void> => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) out.push(next.value)
  }
  const ended = drain()
  ended.catch(() => undefined)
  writer.closed.catch(() => undefined)
  return { writer, reader, out, ended }
}

/** Everything a stream holds. */
export async function all<T>(readable: ReadableStream<T>): Promise<T[]> {
  const values: T[] = []
  const reader = readable.getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) values.push(next.value)
  return values
}

export function streamOf<T>(values: readonly T[]): ReadableStream<T> {
  const rest = [...values]
  return new ReadableStream(
    {
      pull(out) {
        const value = rest.shift()
        if (value === undefined) out.close()
        else out.enqueue(value)
      },
    },
    { highWaterMark: 0 },
  )
}
