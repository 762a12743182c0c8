import type { Server } from './expected.ts'

/** One frame of a recorded body, read by hand. */
export interface Frame {
  readonly bytes: Buffer
  /** Where it ends in the body; infinite where it is cut off. */
  readonly end: number
  /** The same when the body ends by itself: an object that is whole needs no line end then. */
  readonly cleanEnd: number
  readonly text: string
  /** The reply is over with it. */
  readonly isLast: boolean
  /** All of it but its texts and figures. */
  readonly shape: string
}

interface Chunk {
  readonly choices?: readonly {
    readonly delta: { readonly content?: string | null }
    readonly finish_reason: unknown
  }[]
  readonly message?: { readonly content: string }
  readonly done?: boolean
  readonly error?: unknown
}

export function framesOf(body: Buffer, server: Server): Frame[] {
  const gap = server === 'ollama' ? '\n' : '\n\n'
  const frames: Frame[] = []
  for (let from = 0, end = 0; from < body.length; from = end) {
    const at = body.indexOf(gap, from)
    const isCut = at < 0
    end = isCut ? body.length : at + gap.length
    const bytes = body.subarray(from, end)
    const json = /\{.*\}/.exec(bytes.toString())?.[0]
    const chunk = JSON.parse(json ?? '{}') as Chunk
    const choices = chunk.choices ?? []
    frames.push({
      bytes,
      end: isCut ? Infinity : end,
      cleanEnd: json === undefined ? (isCut ? Infinity : end) : from + bytes.lastIndexOf('}') + 1,
      text: (chunk.message?.content ?? '') + choices.map(({ delta }) => delta.content ?? '').join(''),
      isLast: chunk.done === true || chunk.error !== undefined || choices.some((choice) => choice.finish_reason),
      shape: json === undefined ? bytes.toString() : JSON.stringify(chunk, blank),
    })
  }
  return frames
}

function blank(_: string, value: unknown): unknown {
  if (typeof value === 'number') return 0
  return typeof value === 'string' && value !== '' ? 'x' : value
}

/**
 * Of the frames of one shape in a row the first and the last: a decoder that holds nothing of them holds nothing of those in
 * between. So a cut at every byte can be paid for, and falls into every kind of frame beside every other kind.
 */
export function shortened(body: Buffer, server: Server): Buffer {
  const frames = framesOf(body, server)
  const isAlike = (i: number, j: number): boolean => frames[i]?.shape === frames[j]?.shape
  return Buffer.concat(frames.filter((_, i) => !isAlike(i - 1, i) || !isAlike(i, i + 1)).map(({ bytes }) => bytes))
}
