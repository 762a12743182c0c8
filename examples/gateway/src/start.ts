import { createGateway, type Gateway } from '@midstream/core/gateway'
import { resolve } from 'node:path'
import type { Config } from './config/config.ts'
import { toGatewayOptions } from './config/to-options.ts'
import { createUpstreamNames, describeServers } from './model-servers.ts'
import { createBearer } from './server/bearer.ts'
import { clientAddress } from './server/client-address.ts'
import { createCrowded } from './server/crowded.ts'
import { isLoopback, localHosts, urlOf } from './server/hosts.ts'
import { createHttpServer } from './server/http-server.ts'
import { cached, canAnswer, standingOf } from './server/standing.ts'
import { sendText, staticFiles } from './server/static-files.ts'
import { createShutdown, type Shutdown } from './shutdown.ts'
import { watchConnections } from './watch/connections.ts'
import { createCrashes } from './watch/crashes.ts'
import { logRun, type Log } from './watch/logs.ts'
import { createMetrics } from './watch/metrics.ts'
import { createReaderWatch } from './watch/readers.ts'
import { createRefusalHints } from './watch/refusals.ts'
import { watchReplies } from './watch/replies.ts'

/** A program that listens. */
export interface Program extends Shutdown {
  readonly port: number
  /** Where a browser on this machine finds it. */
  readonly url: string
  /** A line for each model server, and whether it answers. */
  describe(): Promise<string[]>
}

/** How long an answer of `/readyz` is good for, ms. */
const readyMs = 1_000

/**
 * Starts the program of a configuration that has been checked.
 * @param folder - What `server.static` is relative to.
 * @throws {Error} In one sentence, when the port or the address cannot be had.
 */
export async function start(config: Config, folder: string, log: Log): Promise<Program> {
  const { server: options, auth, limits } = config
  const http = createHttpServer(
    config,
    watchConnections(log, limits.connections, () => metrics.dropped()),
  )
  const port = await http.listen()
  const hosts = options.allowed_hosts ?? localHosts(options.host, port)
  const owner = auth && createBearer(auth.tokens ?? { shared: auth.secret ?? '' })
  const reader = config.metrics.token === undefined ? undefined : createBearer({ metrics: config.metrics.token })
  const upstreamOf = createUpstreamNames(config)
  const readers = createReaderWatch()
  const crashes = createCrashes(log, () => metrics.crash())

  const gateway = createGateway({
    ...toGatewayOptions(config),
    // At an address that others reach anybody may have given this machine a name.
    allowedHosts: hosts ?? ['*'],
    authorize: owner && (({ headers }) => owner(headers.get('authorization'))),
    // Without both, the gateway goes by the address of the socket where that may be a user's.
    clientOf:
      limits.client_runs === undefined && !options.trust_proxy
        ? undefined
        : (request) => clientAddress(request, Number(options.trust_proxy)),
    onRunEnd({ run }) {
      const upstream = run.successor?.upstream ?? upstreamOf(run.model)
      metrics.run(run, upstream, readers.drops(run))
      logRun(log, run, upstream)
    },
    onError: crashes.onError,
  })
  const metrics = createMetrics({ stats: () => gateway.stats(), connections: () => http.connections })
  crashes.survive()
  const hint = createRefusalHints(log)
  const shutdown = createShutdown(gateway, http.server, options.drain_ms)
  const standing = (): ReturnType<typeof standingOf> => standingOf(gateway, hosts?.[0] ?? 'localhost')
  const ready = cached(
    async () => canAnswer(await standing()),
    readyMs,
    () => performance.now(),
  )
  const files = options.static === undefined ? undefined : staticFiles(resolve(folder, options.static))

  const watched = (answering: Gateway): Gateway =>
    watchReplies(answering, readers, (code, request) => {
      metrics.refused(code)
      hint(code, request)
    })
  http.answerWith({
    gateway: watched(gateway),
    crowded: watched(createCrowded(gateway)),
    serves: (host) => !hosts || hosts.includes(host ?? ''),
    pages: {
      '/healthz': async (_request, response) => sendText(response, 200),
      '/readyz': async (_request, response) => {
        if (shutdown.isDraining) sendText(response, 503, {}, 'draining')
        else if (await ready()) sendText(response, 200, {}, 'ready')
        else sendText(response, 503, {}, 'no model server can be had')
      },
      '/metrics': async (request, response) => {
        if (reader && reader(request.headers.authorization) === null)
          return sendText(response, 401, { 'www-authenticate': 'Bearer' })
        const text = await metrics.text()
        response.writeHead(200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' }).end(text)
      },
    },
    rest(request, response) {
      if (files) files(request, response)
      else sendText(response, 404, {}, `nothing is here; the chat is at ${gateway.basePath}`)
    },
    refuse(request, response) {
      const { method = 'GET', headers } = request
      hint('host_not_allowed', { method, headers: { get: () => headers.host ?? null } })
      sendText(response, 403, {}, 'this host is not served')
    },
  })
  if (!auth && !isLoopback(options.host))
    log.warn(
      { host: options.host },
      'whoever reaches this address may chat; auth asks for a secret, a loopback host keeps others out',
    )

  return {
    port,
    url: urlOf(options.host, port),
    describe: async () => describeServers(config, await standing()),
    get isDraining() {
      return shutdown.isDraining
    },
    drain: () => shutdown.drain(),
    hurry: () => shutdown.hurry(),
  }
}
