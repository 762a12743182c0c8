import { ChatError } from '../wire/errors.ts'

/** What the gateway needs of a request; a `Request` fits as it is. @public */
export interface GatewayRequest {
  readonly method: string
  /** Absolute, with the host that the client asked. Its path is compared as text, so it must be as the client sent it. */
  readonly url: string
  readonly headers: Headers
  /** The address of whoever is at the other end of the socket, a proxy perhaps, where the server tells. */
  readonly remoteAddress?: string | undefined
  /** The address of this end of the socket, where the server tells. */
  readonly localAddress?: string | undefined
  readonly body: AsyncIterable<Uint8Array> | null
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
}

/**
 * Reads a body as UTF-8, at most so many bytes.
 * @throws {ChatError} `too_large`, as soon as that is known; `bad_request` when the body breaks off.
 */
export async function readBody(request: GatewayRequest, maxBytes: number): Promise<string> {
  const tooLarge = (): ChatError => new ChatError('too_large', `The body is larger than ${maxBytes} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  const utf8 = new TextDecoder()
  let text = ''
  let bytes = 0
  try {
    for await (const chunk of request.body ?? []) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) throw tooLarge()
      text += utf8.decode(chunk, { stream: true })
    }
  } catch (cause) {
    if (cause instanceof ChatError) throw cause
    throw new ChatError('bad_request', 'The body broke off.', { cause })
  }
  return text + utf8.decode()
}
