import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Transport, TransportRequest, TransportResponse } from '../upstream/http/transport.ts'

/**
 * A transport on `node:http`: no time-outs, and about two thirds of the CPU that `fetch` takes per token.
 * Redirects are not followed. A connection that is used again, and that the server closes just then, is replaced.
 * @public
 */
export function nodeTransport(): Transport {
  const ask = (asked: TransportRequest, agent?: false): Promise<TransportResponse> =>
    new Promise((resolve, reject) => {
      const { url, method, headers, body, signal } = asked
      const send = url.startsWith('https:') ? httpsRequest : httpRequest
      const sized = body === undefined ? headers : { ...headers, 'content-length': String(Buffer.byteLength(body)) }
      const request = send(url, { method, headers: sized, agent })
      // Not the `signal` option: it stays with the socket after the answer has been read, and an abort then is an
      // 'error' event that nobody listens to, which ends the process (seen with Node 24.21).
      // Without a reason, too: the socket may have gone back to its pool, and would emit it to nobody.
      const abort = (): void => void request.destroy()
      signal.addEventListener('abort', abort)
      request.on('close', () => signal.removeEventListener('abort', abort))
      request.on('error', (error: NodeJS.ErrnoException) => {
        // Servers close a connection that has been idle, or has served often enough, without a word, and have not read this.
        // Or it is this that ends them: so it is asked once more only, on a connection of its own.
        const isClosed = error.code === 'ECONNRESET' || error.code === 'EPIPE'
        if (isClosed && request.reusedSocket && !hasAnswer && !signal.aborted) resolve(ask(asked, false))
        else reject(signal.aborted ? signal.reason : error)
      })
      let hasAnswer = false
      request.on('response', (response) => {
        hasAnswer = true
        // Whoever reads the body is told; an error after the last read concerns nobody.
        response.on('error', () => undefined)
        resolve({
          status: response.statusCode ?? 0,
          header: (name) => {
            const value = response.headers[name]
            return Array.isArray(value) ? value.join(', ') : value
          },
          body: response,
        })
      })
      request.end(body)
      if (signal.aborted) abort()
    })
  return (request) => ask(request)
}

/** The transport of this platform. */
export const defaultTransport: Transport = nodeTransport()
