import { constants, type Stats } from 'node:fs'
import { open, realpath } from 'node:fs/promises'

/** A file that is no document here, and why. */
export interface Skipped {
  readonly path: string
  readonly why: string
}

/** @returns The text, or why there is none, in words for the person who keeps the folder. */
export async function readText(path: string, maxBytes: number): Promise<{ text: string } | { why: string }> {
  try {
    // What was a file a moment ago may be a link by now, or a pipe, which would be waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      if ((await realpath(path)) !== path) return { why: 'behind a symbolic link' }
      const stats = await file.stat()
      const why = whyNot(stats, maxBytes)
      return why === undefined ? decode(await file.readFile(), maxBytes) : { why }
    } finally {
      await file.close()
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    return { why: `cannot be read (${String(code ?? error)})` }
  }
}

function whyNot(stats: Stats, maxBytes: number): string | undefined {
  if (!stats.isFile()) return 'not a file'
  return stats.size > maxBytes ? tooLarge(stats.size, maxBytes) : undefined
}

const tooLarge = (bytes: number, maxBytes: number): string => `${bytes} bytes, more than ${maxBytes}`

function decode(bytes: Buffer, maxBytes: number): { text: string } | { why: string } {
  // It may have grown while it was read.
  if (bytes.length > maxBytes) return { why: tooLarge(bytes.length, maxBytes) }
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return { why: 'UTF-16: save it as UTF-8' }
  try {
    // A byte order mark is left out by the decoder.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return text.includes('\0') ? { why: 'not a text: it holds NUL bytes' } : { text }
  } catch {
    return { why: 'not valid UTF-8 (GBK or Latin-1, perhaps): save it as UTF-8' }
  }
}
