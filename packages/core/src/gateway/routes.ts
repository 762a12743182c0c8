import { version } from '../version.ts'
import { ChatError, type RequestLimits } from '../wire/errors.ts'
import { parseChatRequest, parseInterrupt } from '../wire/messages.ts'
import { withMetadata } from './metadata.ts'
import type { GatewayPolicy } from './options.ts'
import { preflightReply } from './origin.ts'
import { clientOf, identityOf, nobody, type Identity } from './owner.ts'
import { pathBelow } from './path.ts'
import type { Readers } from './readers.ts'
import { jsonReply, type GatewayReply } from './reply.ts'
import { readBody, type GatewayRequest } from './request.ts'
import { allowed } from './request-options.ts'
import type { Runs } from './runs.ts'

type Handler = (
  request: GatewayRequest,
  identity: Identity,
  id: string,
  query: URLSearchParams,
) => GatewayReply | Promise<GatewayReply>
/** What the routes of a gateway lead to. */
interface Behind {
  readonly runs: Runs
  readonly readers: Readers
  standing(): Promise<Record<string, unknown>>
  /** No run is started any more. */
  isClosed(): boolean
}

/** How much a request may hold, for a client that leaves out what is too much. */
export function requestLimits({ limits }: GatewayPolicy): RequestLimits {
  return { messages: limits.messages, body_bytes: limits.bodyBytes }
}

/**
 * Gives each request to what its path and method name, with its owner.
 * @throws {ChatError} From what it returns.
 */
export function createRoutes(
  policy: GatewayPolicy,
  { runs, readers, standing, isClosed }: Behind,
): (request: GatewayRequest) => Promise<GatewayReply> {
  const routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
    '': {
      GET: async () => jsonReply(200, { ...(await standing()), limits: requestLimits(policy), version }),
      HEAD: () => ({ status: 200, headers: {}, body: null }),
      POST: async (request, identity, _id, query) => {
        const body = await readBody(request, policy.limits.bodyBytes)
        const parsed = parseChatRequest(body, { maxMessages: policy.limits.messages })
        const chat = await withMetadata(allowed(parsed, policy), policy.metadata)
        const client = await clientOf(request, policy.clientOf)
        if (isClosed()) throw new ChatError('shutting_down', 'The gateway is shutting down.', { retryable: true })
        const run = runs.start(chat, { identity, client, address: request.remoteAddress }, body)
        return chat.stream ? readers.read(run, 0, query) : readers.whole(run, request.signal)
      },
    },
    'runs/:id': {
      GET: (request, { owner }, id, query) => {
        const after = request.headers.get('last-event-id') ?? query.get('after') ?? '0'
        if (!/^\d{1,15}$/.test(after)) throw new ChatError('bad_request', 'Last-Event-ID must be a position.')
        return readers.read(runs.find(id, owner), Number(after), query)
      },
    },
    'runs/:id/interrupt': {
      POST: async (request, { owner }, id) => {
        const position = parseInterrupt(await readBody(request, policy.limits.bodyBytes))
        const { outcome, stored } = runs.interrupt(id, owner, position)
        // What the person saw is stored before they are told that it stays.
        await stored
        return jsonReply(200, outcome)
      },
    },
    'sessions/:id': {
      GET: (_request, { owner }, id) => {
        const session = runs.session(id, owner)
        return jsonReply(200, {
          session_id: session.id,
          active_run: session.activeRunId,
          runs: session.runs,
          created_at: Math.round(session.createdAt),
          used_at: Math.round(session.usedAt),
          last_run: session.lastRun && { run_id: session.lastRun.runId, interrupted_by: session.lastRun.interruptedBy },
        })
      },
      DELETE: async (_request, { owner }, id) => {
        await runs.deleteSession(id, owner)
        return { status: 204, headers: {}, body: null }
      },
    },
  }

  return async (request) => {
    const path = pathBelow(policy.basePath, request.url)
    const [kind, id, action, ...rest] = path?.segments ?? []
    const at = !path || rest.length > 0 ? 'nowhere' : [kind, id && ':id', action].filter(Boolean).join('/')
    const handlers = own(routes, at)
    if (!path || !handlers) throw new ChatError('not_found', 'There is nothing at this path.')
    if (request.method === 'OPTIONS') return preflightReply(request, policy)
    const handler = own(handlers, request.method)
    if (!handler) {
      const cause = Object.keys(handlers).join(', ')
      throw new ChatError('method_not_allowed', `This path answers ${cause}.`, { cause })
    }
    // How the gateway is, anybody may ask: it says nothing of anybody.
    const isOpen = at === '' && request.method !== 'POST'
    const identity = isOpen ? nobody : await identityOf(request, policy.authorize)
    return handler(request, identity, id ?? '', path.query)
  }
}

/** An entry of a table by a name from outside, which may be that of something every object has. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}
