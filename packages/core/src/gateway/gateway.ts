// Long: the table of routes and the handlers that it names, read from top to bottom.
import { jsonOutput } from '../read/output/json.ts'
import { createPollReader, pollAwayMs } from '../read/poll-reader.ts'
import { createReader } from '../read/reader.ts'
import { readWhole } from '../read/whole-reader.ts'
import type { Run } from '../run/run.ts'
import { version } from '../version.ts'
import { ChatError, isChatError, type RequestLimits } from '../wire/errors.ts'
import { parseChatRequest, parseInterrupt, type ChatRequest } from '../wire/messages.ts'
import { resolveGateway, type GatewayOptions } from './options.ts'
import { checkHost } from './host.ts'
import { checkOrigin, preflightReply } from './origin.ts'
import { pathBelow } from './path.ts'
import { errorReply, jsonReply, streamReply, toResponse, type GatewayReply } from './reply.ts'
import { readBody, type GatewayRequest } from './request.ts'
import { createRuns, type Owner } from './runs.ts'
import { checkedOptions } from './request-options.ts'
import { createStanding } from './standing.ts'

/** @public */
export interface Gateway {
  /** Answers a request; never rejects. */
  (request: Request): Promise<Response>
  /** Where it is mounted. */
  readonly basePath: string
  /** The same without `Response`: `toNodeListener` drives the reader straight into the socket. Never rejects. */
  reply(request: GatewayRequest): Promise<GatewayReply>
  /** How things stand, for metrics. */
  stats(): GatewayStats
  /**
   * Starts no more runs (503), gives the running ones `drainMs` to end, then ends them as `shutdown`, with their upstreams.
   * Resolves when all have ended, and `onRunEnd` with them; called again, it can only shorten the wait.
   */
  close(options?: CloseOptions): Promise<void>
}

/** @public */
export interface CloseOptions {
  /** How long running runs may go on, ms. @defaultValue 0 */
  readonly drainMs?: number | undefined
  /** How long an `onRunEnd` that is not done is waited for, ms. @defaultValue 10000 */
  readonly saveMs?: number | undefined
}

/** How a gateway stands. @public */
export interface GatewayStats {
  /** Runs that have not ended. */
  readonly runs: number
  /** Connections that read runs, ended ones too: those that have not taken all of what they were sent. */
  readonly readers: number
  readonly upstreams: readonly {
    readonly name: string
    readonly model: string
    readonly breaker: 'closed' | 'open' | 'half_open' | null
  }[]
}

/**
 * Creates the gateway: a function from `Request` to `Response` that speaks the wire of docs/design.md §3 and stands in front
 * of one model server, or of several (`route`).
 * @throws {TypeError | RangeError} When an option makes no sense.
 * @public
 */
export function createGateway(options: GatewayOptions): Gateway {
  const policy = resolveGateway(options)
  const { basePath, clock, targets } = policy
  const runs = createRuns(policy)
  let closed = false
  let readers = 0
  const standing = createStanding(targets, clock, (error) => policy.appErrors.report(error, {}))

  const reply = async (request: GatewayRequest): Promise<GatewayReply> => {
    let cors: Readonly<Record<string, string>> = {}
    let answer: GatewayReply
    try {
      checkHost(request, policy.allowedHosts, { isOpen: !policy.authorize })
      const letIn = checkOrigin(request, policy)
      cors = letIn.cors
      answer = await route(letIn.request)
    } catch (error) {
      if (!isChatError(error)) policy.appErrors.report(error, { request })
      answer = errorReply(withLimits(error))
    }
    return { ...answer, headers: { ...answer.headers, ...cors } }
  }

  /** How much a request may hold, for a client that leaves out what is too much. */
  const limits: RequestLimits = { messages: policy.limits.messages, body_bytes: policy.limits.bodyBytes }
  const withLimits = (error: unknown): unknown => {
    if (!isChatError(error) || (error.code !== 'too_large' && error.code !== 'too_many_messages')) return error
    return new ChatError(error.code, error.message, { limits })
  }

  const route = async (request: GatewayRequest): Promise<GatewayReply> => {
    const path = pathBelow(basePath, request.url)
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
    const owner = isOpen ? undefined : await ownerOf(request)
    return handler(request, owner, id ?? '', path.query)
  }

  /** @throws {ChatError} `unauthorized`. Whatever else `authorize` throws lets nobody in either. */
  const ownerOf = async (request: GatewayRequest): Promise<Owner> => {
    if (!policy.authorize) return undefined
    const owner: unknown = await policy.authorize(request)
    if (typeof owner === 'string' && owner !== '') return owner
    throw new ChatError('unauthorized', 'Authentication required.')
  }

  type Handler = (
    request: GatewayRequest,
    owner: Owner,
    id: string,
    query: URLSearchParams,
  ) => GatewayReply | Promise<GatewayReply>
  const routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
    '': {
      GET: async () => jsonReply(200, { ...(await standing()), limits, version }),
      HEAD: () => ({ status: 200, headers: {}, body: null }),
      POST: async (request, owner, _id, query) => {
        const body = await readBody(request, policy.limits.bodyBytes)
        const chat = allowed(parseChatRequest(body, { maxMessages: policy.limits.messages }))
        const client = await clientOf(request)
        if (closed) throw new ChatError('shutting_down', 'The gateway is shutting down.', { retryable: true })
        const run = runs.start(chat, { owner, client, address: request.remoteAddress }, body)
        return chat.stream ? read(run, 0, query) : whole(run, request.signal)
      },
    },
    'runs/:id': {
      GET: (request, owner, id, query) => {
        const after = request.headers.get('last-event-id') ?? query.get('after') ?? '0'
        if (!/^\d{1,15}$/.test(after)) throw new ChatError('bad_request', 'Last-Event-ID must be a position.')
        return read(runs.find(id, owner), Number(after), query)
      },
    },
    'runs/:id/interrupt': {
      POST: async (request, owner, id) => {
        const position = parseInterrupt(await readBody(request, policy.limits.bodyBytes))
        return jsonReply(200, runs.interrupt(id, owner, position))
      },
    },
    'sessions/:id': {
      GET: (_request, owner, id) => {
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
      DELETE: (_request, owner, id) => {
        runs.deleteSession(id, owner)
        return { status: 204, headers: {}, body: null }
      },
    },
  }

  /** What a browser may not choose, it may not choose here either: the model, its cost, the system prompt. */
  const allowed = (chat: ChatRequest): ChatRequest => {
    if (chat.model !== undefined && !targets.byModel.has(chat.model)) {
      throw new ChatError('model_not_allowed', 'This gateway does not offer that model.')
    }
    const option = Object.keys(chat.options ?? {}).find((name) => !policy.requestOptions.has(name))
    if (option !== undefined)
      throw new ChatError('option_not_allowed', `options.${option.slice(0, 64)} may not be set.`)
    if (policy.system !== undefined && chat.messages.some(({ role }) => role === 'system')) {
      throw new ChatError('bad_request', 'System messages are set by the gateway.')
    }
    return chat.options ? { ...chat, options: checkedOptions(chat.options) } : chat
  }

  /** @throws {TypeError} Whoever answers with something else would have nobody counted. */
  const clientOf = async (request: GatewayRequest): Promise<string | undefined> => {
    const client = (await policy.clientOf?.(request)) ?? undefined
    if (client === undefined || typeof client === 'string') return client
    throw new TypeError(`clientOf must return a string, null or undefined, and not a ${typeof client}.`)
  }

  const checkRoom = (run: Run): void => {
    if (run.readers < policy.limits.readers) return
    throw new ChatError('too_many_readers', 'Too many readers of this run.', { retryable: true })
  }

  /** `?poll=1`: what is there is the whole answer, and the client asks again. */
  const read = (run: Run, position: number, query: URLSearchParams): GatewayReply => {
    checkRoom(run)
    const { coalesce, heartbeat, limits } = policy
    const onLeave = (): void => void (readers -= 1)
    readers += 1
    const { unreadMs } = limits
    const polls = query.has('poll')
    const awayMs = polls ? pollAwayMs : 0
    const reader = createReader(run, { clock, coalesce, heartbeat, position, unreadMs, awayMs, onLeave })
    return streamReply(polls ? createPollReader(reader) : reader, run)
  }

  /** `stream: false`: a client that goes away is a reader that leaves. */
  const whole = async (run: Run, signal: AbortSignal): Promise<GatewayReply> => {
    checkRoom(run)
    readers += 1
    const terminal = await readWhole(run, signal, () => void (readers -= 1))
    // Nobody reads it.
    if (!terminal) return { status: 499, headers: {}, body: null }
    const { status, headers } = terminal.reason === 'error' ? errorReply(run.error) : { status: 200, headers: {} }
    const ids = { 'session-id': run.sessionId, 'run-id': run.runId }
    return jsonReply(status, jsonOutput(run, terminal), { ...headers, ...ids })
  }

  /** Waits, but not for longer. @returns Whether that was enough. */
  const within = async (ms: number, done: Promise<unknown>): Promise<boolean> => {
    let disarm = (): void => {}
    const late = new Promise<boolean>((resolve) => (disarm = clock.after(ms, () => resolve(false))))
    const isInTime = await Promise.race([done.then(() => true), late])
    disarm()
    return isInTime
  }

  const handle = async (request: Request): Promise<Response> => toResponse(await reply(request))
  return Object.assign(handle, {
    basePath,
    reply,
    stats() {
      return {
        runs: runs.active().length,
        readers,
        upstreams: targets.all.map(({ upstream: { name, model }, breaker }) => ({
          name,
          model,
          breaker: breaker?.phase ?? null,
        })),
      }
    },
    close: async ({ drainMs = 0, saveMs = 10_000 } = {}) => {
      closed = true
      if (drainMs > 0) await within(drainMs, Promise.all(runs.active().map((run) => run.ended)))
      runs.close()
      const { appErrors } = policy
      if (await within(saveMs, appErrors.settled())) return
      appErrors.report(new Error(`onRunEnd was not done ${saveMs} ms after the gateway was closed.`), {})
    },
  })
}

/** An entry of a table by a name from outside, which may be that of something every object has. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}
