import {
  Agent as HttpAgent,
  request as httpRequest,
  type AgentOptions,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { PassThrough, type Readable, type Transform } from 'node:stream'
import zlib, { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import { systemClock, type Clock } from '../clock.ts'
import { tickerOf } from '../ticker.ts'
import type { Transport, TransportRequest, TransportSink } from '../upstream/http/transport.ts'

/** @public */
export interface NodeTransportOptions {
  /** Longest wait for a connection, its TLS included, ms; the wait for an answer is the fuse's. @defaultValue 10000 */
  readonly connectMs?: number | undefined
  /** Times that wait. @defaultValue systemClock */
  readonly clock?: Clock | undefined
}

/** How connections are kept. A stream takes one for itself, so their number is bounded by the runs alone, and that of idle ones here. */
const connections: AgentOptions = {
  // That small requests go at their own time (no Nagle) is Node's default for an agent.
  keepAlive: true,
  maxFreeSockets: 64,
  // Servers close theirs after 5 s or later: an idle connection is given up before a question can cross that on its way.
  timeout: 4_000,
  // When TCP first probes a silent connection, ms: a server that has gone without a word is noticed while it is waited for.
  keepAliveMsecs: 30_000,
}

/**
 * A transport on `node:http`: no time-out but for connecting, and about two thirds of the CPU that `fetch` takes per token.
 * Redirects are not followed. A connection that is used again, and that the server closes just then, is replaced.
 * @throws {RangeError} When `connectMs` is not above 0.
 * @public
 */
export function nodeTransport(options: NodeTransportOptions = {}): Transport {
  const { connectMs = 10_000, clock = tickerOf(systemClock) } = options
  if (!(connectMs > 0)) throw new RangeError(`nodeTransport({ connectMs }) must be > 0, got ${connectMs}`)
  const plain = new HttpAgent(connections)
  const secure = new HttpsAgent(connections)

  const ask = (asked: TransportRequest, sink: TransportSink, isReplaced = false): void => {
    const { url, method, headers, body, signal } = asked
    const isSecure = url.startsWith('https:')
    const send = isSecure ? httpsRequest : httpRequest
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    // Compressing a stream holds it back, and proxies do it unasked.
    const own = { 'accept-encoding': 'identity', ...headers, ...length }
    const request = send(url, { method, headers: own, agent: isReplaced ? false : isSecure ? secure : plain })
    let isOver = false
    const end = (cause?: unknown): void => {
      if (isOver) return
      isOver = true
      disarm()
      signal.removeEventListener('abort', abort)
      if (cause === undefined) sink.end()
      else sink.error(signal.aborted ? signal.reason : cause)
    }
    // Not the `signal` option: it stays with the socket after the answer has been read, and an abort then is an
    // 'error' event that nobody listens to, which ends the process (seen with Node 24.21).
    // Without a reason, too: the socket may have gone back to its pool, and would emit it to nobody.
    const abort = (): void => {
      request.destroy()
      end(signal.reason)
    }
    signal.addEventListener('abort', abort)
    const disarm = limitConnecting(request, isSecure, clock, Math.min(connectMs, asked.connectMs ?? Infinity))
    // Nobody waits for an answer that cannot come any more, whatever has become of it.
    const gone = (): void => {
      if (!isRead) end(new Error('The connection closed before the answer was whole.'))
    }
    // One that has begun may still be read from memory when its connection has closed, and closes for itself.
    request.on('close', () => {
      if (!hasAnswer) gone()
    })
    request.on('error', (error: NodeJS.ErrnoException) => {
      // Servers close a connection that has been idle, or has served often enough, without a word, and have not read this.
      // Or it is this that ends them: so it is asked once more only, on a connection of its own.
      const isClosed = error.code === 'ECONNRESET' || error.code === 'EPIPE'
      if (!isClosed || !request.reusedSocket || hasAnswer || isOver) return end(error)
      isOver = true
      disarm()
      signal.removeEventListener('abort', abort)
      ask(asked, sink, true)
    })
    let hasAnswer = false
    /** All bytes of the answer have come; they may still have to be unpacked. */
    let isRead = false
    const answer = (response: IncomingMessage): void => {
      hasAnswer = true
      sink.head({
        status: response.statusCode ?? 0,
        header: (name) => {
          const value = response.headers[name]
          return Array.isArray(value) ? value.join(', ') : value
        },
      })
    }
    request.on('response', (response) => {
      response.on('error', end).on('close', gone)
      answer(response)
      if ((response.statusCode ?? 0) < 200) {
        // Nothing that comes now is an answer.
        end()
        return void request.destroy()
      }
      response.on('end', () => (isRead = true))
      const plainBody = unpacked(response, response.headers['content-encoding'] ?? '', end)
      plainBody.on('data', (bytes: Uint8Array) => {
        if (isOver) return
        const full = sink.data(bytes)
        if (!full && bytes.length < turnBytes) return
        plainBody.pause()
        const resume = (): void => void plainBody.resume()
        if (full) full.then(resume, resume)
        else setImmediate(resume)
      })
      plainBody.on('end', () => end())
    })
    // A server that speaks another protocol from here on (101). Without a listener the socket closes and nobody is told.
    request.on('upgrade', (response, socket) => {
      socket.on('error', () => undefined).destroy()
      answer(response)
      end()
    })
    request.end(body)
    if (signal.aborted) abort()
  }
  return ask
}

/** Most encodings that one body has, one around the other. */
const maxEncodings = 4

/**
 * A body without its encodings. Servers and proxies call encoding what is none (`none`, `utf-8`, `chunked`): one that nobody knows is
 * left as it is, and whoever reads the body tells what it is.
 */
function unpacked(body: Readable, encodings: string, failed: (cause: unknown) => void): Readable {
  const names = encodings.toLowerCase().split(',').slice(0, maxEncodings)
  // The last one was put around the others.
  return names.reduceRight((packed: Readable, name) => {
    const encoding = name.trim()
    if (encoding === 'deflate') return inflated(packed, failed)
    const unpack = unpackerOf(encoding)
    return unpack ? packed.pipe(unpack()).on('error', failed) : packed
  }, body)
}

function unpackerOf(encoding: string): (() => Transform) | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip
    case 'br':
      return createBrotliDecompress
    case 'zstd':
      // Node knows it from 22.15 on.
      return zlib.createZstdDecompress
    default:
      return undefined
  }
}

/** `deflate` is zlib's format (RFC 9110 §8.4.1.2), and some servers send what stands inside of that alone: the first byte tells. */
function inflated(packed: Readable, failed: (cause: unknown) => void): Readable {
  const plain = new PassThrough()
  const end = (): void => void plain.end()
  packed.once('end', end)
  packed.once('data', (first: Uint8Array) => {
    packed.off('end', end)
    const unpack = (first[0]! & 0x0f) === 8 ? createInflate() : createInflateRaw()
    unpack.on('error', failed).write(first)
    packed.pipe(unpack).pipe(plain)
  })
  return plain
}

/** A read of this size is followed by a turn of the event loop: a model at full speed must not shut out an interrupt. */
const turnBytes = 32_768

/** Ends a request whose connection is not there in time. @returns How to stop waiting. */
function limitConnecting(request: ClientRequest, isSecure: boolean, clock: Clock, ms: number): () => void {
  let disarm = (): void => {}
  request.on('socket', (socket: Socket) => {
    if (request.reusedSocket) return
    disarm = clock.after(ms, () => {
      const error = new Error(`The server did not take the connection within ${ms} ms.`)
      request.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
    })
    socket.once(isSecure ? 'secureConnect' : 'connect', disarm)
  })
  return () => disarm()
}

/** The transport of this platform. */
export const defaultTransport: Transport = /* @__PURE__ */ nodeTransport()
