import type { Reader } from '@midstream/core'
import type { Gateway, GatewayReply, GatewayRequest } from '@midstream/core/gateway'

/** What is seen of the answers of a gateway. */
export interface ReplyWatch {
  /** It refused a request. */
  refused(code: string, request: GatewayRequest): void
  /** A reader left before the end of its run. */
  drop(): void
}

/** The same gateway, watched. */
export function watchReplies(gateway: Gateway, watch: ReplyWatch): Gateway {
  const reply = async (request: GatewayRequest): Promise<GatewayReply> => {
    const answer = await gateway.reply(request)
    const { status, body } = answer
    const code = typeof body === 'string' && status >= 400 ? refusalIn(body) : undefined
    if (code !== undefined) watch.refused(code, request)
    return body === null || typeof body === 'string' ? answer : { ...answer, body: watchReader(body, watch) }
  }
  return Object.assign((request: Request) => gateway(request), gateway, { reply })
}

function watchReader(reader: Reader, watch: ReplyWatch): Reader {
  let hasEnded = false
  return {
    async next() {
      const frames = await reader.next()
      if (frames === null) hasEnded = true
      return frames
    },
    cancel() {
      if (!hasEnded) watch.drop()
      hasEnded = true
      reader.cancel()
    },
  }
}

/** A run that failed, answered as one JSON, is no refusal. */
function refusalIn(body: string): string | undefined {
  const { error, run_id: runId } = JSON.parse(body) as { readonly error?: { readonly code?: string }; run_id?: string }
  return runId === undefined ? error?.code : undefined
}
