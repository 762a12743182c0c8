/** A frame as a test looks at it: whatever keys the wire may have. */
export interface WireEvent {
  readonly session_id?: string
  readonly run_id?: string
  readonly model?: string
  readonly heartbeat_ms?: number
  readonly continues?: { readonly run_id?: string; readonly position: number }
  readonly message?: string
  readonly thinking?: string
  readonly tool_call?: unknown
  readonly data?: unknown
  readonly reset?: string
  readonly status?: string
  readonly attempt?: number
  readonly retry_in_ms?: number
  readonly progress?: { readonly stage: string; readonly done?: number; readonly total?: number }
  readonly upstream?: string
  readonly ping?: string
  readonly done?: true
  readonly reason?: string
  readonly by?: string
  readonly position?: number
  readonly usage?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly retryable: boolean }
}

export interface WireFrame {
  /** The position after it, where it has one. */
  readonly id: number | undefined
  readonly event: WireEvent
}

/** Reads the frames of one body by hand: no decoder of ours takes part. */
export interface FrameReader {
  /** The next frame; null at the end of the body. */
  next(): Promise<WireFrame | null>
  /** Frames up to and with the first that fits; throws when the body ends before. */
  until(fits: (event: WireEvent) => boolean): Promise<WireFrame[]>
  /** What is left. */
  rest(): Promise<WireFrame[]>
  cancel(): Promise<void>
}

export function frameReader(body: ReadableStream<Uint8Array> | null): FrameReader {
  if (!body) throw new TypeError('no body')
  const reader = body.getReader()
  const utf8 = new TextDecoder()
  const frames: WireFrame[] = []
  let pending = ''
  const next = async (): Promise<WireFrame | null> => {
    for (;;) {
      const frame = frames.shift()
      if (frame) return frame
      const { done, value } = await reader.read()
      if (done) return null
      const blocks = (pending + utf8.decode(value, { stream: true })).split('\n\n')
      pending = blocks.pop() ?? ''
      frames.push(...blocks.map(parseFrame))
    }
  }
  return {
    next,
    async until(fits) {
      const seen: WireFrame[] = []
      for (;;) {
        const frame = await next()
        if (!frame) throw new Error(`the body ended before the frame came: ${JSON.stringify(seen)}`)
        seen.push(frame)
        if (fits(frame.event)) return seen
      }
    },
    async rest() {
      const seen: WireFrame[] = []
      for (let frame = await next(); frame; frame = await next()) seen.push(frame)
      return seen
    },
    cancel: () => reader.cancel(),
  }
}

function parseFrame(block: string): WireFrame {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  const id = fields.get('id')
  return { id: id === undefined ? undefined : Number(id), event: JSON.parse(fields.get('data') ?? '') as WireEvent }
}

/** The text that a reader has after these frames. */
export function textOf(frames: readonly WireFrame[]): string {
  return frames.map(({ event }) => event.message ?? '').join('')
}
