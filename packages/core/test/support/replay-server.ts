import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { listen } from './listen.ts'

/** One recorded request of a real server; the index beside the originals says what the fields mean. */
export interface Recording {
  readonly name: string
  readonly request: { readonly path: string; readonly body: unknown }
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly reads: readonly RecordedRead[]
    readonly ended: 'end' | 'reset' | 'aborted-by-client'
    readonly socket?: 'fin' | 'rst'
  } | null
}
/** One read of the socket. `chunks`: sizes of the HTTP chunks in it, when it was not exactly one. */
interface RecordedRead {
  readonly text?: string
  readonly bytesBase64?: string
  readonly chunks?: readonly number[]
}

const folder = new URL('../fixtures/ollama/', import.meta.url)

export function recording(name: string): Recording {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Recording
}

export function bytesOf(read: RecordedRead): Buffer {
  return read.bytesBase64 === undefined ? Buffer.from(read.text ?? '') : Buffer.from(read.bytesBase64, 'base64')
}
/** The whole body. */
export function bodyOf({ response }: Recording): Buffer {
  return Buffer.concat((response?.reads ?? []).map(bytesOf))
}

/** An answer by hand: one read an entry. */
export function handmade(
  reads: readonly string[],
  response: Partial<NonNullable<Recording['response']>> = {},
): Recording {
  const headers = { 'Content-Type': 'application/x-ndjson' }
  const entries = reads.map((text) => ({ text }))
  return {
    name: 'handmade',
    request: { path: '/', body: null },
    response: { status: 200, headers, reads: entries, ended: 'end', ...response },
  }
}

/** One request to the server, while it is answered and after. */
interface ReplayRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  /** Settles when the answer stands where it was told to hold. */
  readonly holding: Promise<void>
  /** Goes on with an answer that holds. */
  release(): void
  /** Settles when the socket has closed or the answer has ended; true: the whole answer was sent. */
  readonly closed: Promise<boolean>
}

export interface ReplayServer {
  readonly url: string
  readonly requests: readonly ReplayRequest[]
  /** The next request that nobody has taken yet. */
  next(): Promise<ReplayRequest>
  /** Settles when every answer is over and its socket has closed, or is kept for later by whoever asked. */
  allClosed(): Promise<unknown>
}

/**
 * Plays recordings over a real socket with their read boundaries and HTTP chunks, as fast as they are read.
 * @param options.holdAt - Where every answer waits for `release()`: before its head, or before the read with that index.
 */
export async function replayServer(
  play: Recording | ((request: { readonly path: string; readonly body: string }) => Recording),
  options: { readonly holdAt?: 'head' | number } = {},
): Promise<ReplayServer> {
  const requests: ReplayRequest[] = []
  const takers: ((request: ReplayRequest) => void)[] = []
  let taken = 0

  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = []
    for await (const piece of incoming) pieces.push(piece as Buffer)
    const { method = '', url: path = '', headers } = incoming
    const body = Buffer.concat(pieces).toString()
    const held = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    const closed = new Promise<boolean>((resolve) => outgoing.on('close', () => resolve(outgoing.writableFinished)))
    const request = { method, path, headers, body, holding: held.promise, release: released.resolve, closed }
    const holdAt = async (place: 'head' | number): Promise<void> => {
      if (options.holdAt !== place) return
      held.resolve()
      await Promise.race([released.promise, closed])
    }
    requests.push(request)
    takers.shift()?.(request)

    const { response } = typeof play === 'function' ? play({ path, body }) : play
    if (!response) return void outgoing.destroy()
    await holdAt('head')
    outgoing.socket?.setNoDelay(true)
    outgoing.writeHead(response.status, response.headers)
    outgoing.flushHeaders()
    for (const [index, read] of response.reads.entries()) {
      await holdAt(index)
      if (outgoing.destroyed) return
      writeRead(outgoing, read)
      // The loop turns, so that most reads stay apart.
      await setImmediate()
    }
    await holdAt(response.reads.length)
    if (response.ended === 'end') outgoing.end()
    else if (response.socket === 'rst') outgoing.socket?.resetAndDestroy()
    else if (response.ended === 'reset') outgoing.socket?.end()
  }
  const { url, connections, server } = await listen((incoming, outgoing) => void answer(incoming, outgoing))
  return {
    url,
    requests,
    next() {
      taken += 1
      const request = requests[taken - 1]
      return request ? Promise.resolve(request) : new Promise((resolve) => takers.push(resolve))
    },
    async allClosed() {
      await Promise.all(requests.map(({ closed }) => closed))
      // What an agent keeps for later is nobody's leak.
      server.closeIdleConnections()
      await Promise.all(connections.map(({ closed }) => closed))
    },
  }
}

function writeRead(outgoing: ServerResponse, read: RecordedRead): void {
  const bytes = bytesOf(read)
  let from = 0
  outgoing.cork()
  for (const size of read.chunks ?? [bytes.length]) {
    outgoing.write(bytes.subarray(from, from + size))
    from += size
  }
  outgoing.uncork()
}
