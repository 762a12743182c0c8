import { request as httpRequest, type IncomingMessage } from 'node:http'
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
      const request = send(url, { method, headers: sized, signal })
      request.on('error', reject)
      request.on('response', (response: IncomingMessage) => {
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
    })
}

/** The transport of this platform. */
export const defaultTransport: Transport = nodeTransport()
