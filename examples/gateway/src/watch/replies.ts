import type { Gateway, GatewayReply, GatewayRequest } from '@midstream/core/gateway'
import type { ReaderWatch } from './readers.ts'

/** The same gateway, whose refusals are told, and whose readers are watched. */
export function watchReplies(
  gateway: Gateway,
  readers: ReaderWatch,
  refused: (code: string, request: GatewayRequest) => void,
): Gateway {
  const reply = async (request: GatewayRequest): Promise<GatewayReply> => {
    const answer = await gateway.reply(request)
    const { status, headers, body } = answer
    const code = typeof body === 'string' && status >= 400 ? refusalIn(body) : undefined
    if (code !== undefined) refused(code, request)
    if (body === null || typeof body === 'string') return answer
    return { ...answer, body: readers.watch(body, headers['run-id'] ?? '') }
  }
  return Object.assign((request: Request) => gateway(request), gateway, { reply })
}

/** A run that failed, answered as one JSON, is no refusal. */
function refusalIn(body: string): string | undefined {
  const { error, run_id: runId } = JSON.parse(body) as { readonly error?: { readonly code?: string }; run_id?: string }
  return runId === undefined ? error?.code : undefined
}
