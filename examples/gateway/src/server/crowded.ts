import { ChatError, toErrorBody } from '@midstream/core'
import type { Gateway, GatewayReply, GatewayRequest } from '@midstream/core/gateway'

const error = toErrorBody(new ChatError('overloaded', 'Too many connections at once.', { retryable: true }))

/** A gateway for connections that are too many: whom the other would let in, it tells so, in the wire's words. */
export function createCrowded(gateway: Gateway): Gateway {
  const reply = async (request: GatewayRequest): Promise<GatewayReply> => {
    // A preflight is judged by host, origin and path, and says what lets a page read the answer.
    const answer = await gateway.reply({ ...request, method: 'OPTIONS', body: null })
    if (answer.status !== 204 || request.method === 'OPTIONS') return answer
    const own = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', 'retry-after': '1' }
    return { status: 503, headers: { ...answer.headers, ...own }, body: JSON.stringify({ error }) }
  }
  return Object.assign((request: Request) => gateway(request), gateway, { reply })
}
