import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Transport } from '../upstream/transport.ts'

/**
 * A transport on `node:http`: no time-outs, and about two thirds of the CPU that `fetch` takes per token.
 * Redirects are not followed.
 * @public
 */
export function nodeTransport(): Transport {
  return ({ url, method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const send = url.startsWith('https:') ? httpsRequest : httpRequest
      const sized = body === undefined ? headers : { ...headers, 'content-length': String(Buffer.byteLength(body)) }
      const request = send(url, { method, headers: sized })
      // Not the `signal` option: it stays with the socket after the answer has been read, and an abort then is an
      // 'error' event that nobody listens to, which ends the process (seen with Node 24.21).
      // Without a reason, too: the socket may have gone back to its pool, and would emit it to nobody.
      const abort = (): void => void request.destroy()
      signal.addEventListener('abort', abort)
      request.on('close', () => signal.removeEventListener('abort', abort))
      request.on('error', (error) => reject(signal.aborted ? signal.reason : error))
      request.on('response', (response) => {
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
}

/** The transport of this platform. */
export const defaultTransport: Transport = nodeTransport()
