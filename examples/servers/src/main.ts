// The command: starts one of the servers, in front of the embedded model unless the environment names another.
import { startNano, type Nano } from '@midstream/example-nano'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'

const servers = {
  express: () => import('./express.ts'),
  fastify: () => import('./fastify.ts'),
  hono: () => import('./hono.ts'),
  koa: () => import('./koa.ts'),
}

const usage = `usage: npm run demo:servers -- ${Object.keys(servers).join(' | ')}

  PORT        port to listen on; 0 takes any free one (default 8080)
  OLLAMA_URL  an Ollama server (default: the embedded model; with MODEL alone, http://127.0.0.1:11434)
  MODEL       one of its models (default qwen3:32b)
`

/** How long connections may take to end by themselves, ms. */
const graceMs = 1_000

async function start(name: keyof typeof servers): Promise<void> {
  const { OLLAMA_URL: url, MODEL: model } = process.env
  let nano: Nano | undefined
  if (url === undefined && model === undefined) {
    nano = await startNano()
    Object.assign(process.env, { OLLAMA_URL: nano.url, MODEL: 'nano' })
  }
  const { server, gateway } = await servers[name]()
  if (!server.listening) await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const upstream = nano ? 'the embedded model' : `${model ?? 'qwen3:32b'} at ${url ?? 'http://127.0.0.1:11434'}`
  console.log(`${name} on http://localhost:${port} · chat at ${gateway.basePath} · ${upstream}`)

  const stop = (): void => {
    // A second signal ends the process at once, by the default handler.
    process.off('SIGINT', stop).off('SIGTERM', stop)
    setTimeout(() => process.exit(), graceMs)
    // Node closes the connections that are idle now; those that get idle later are kept alive for their client.
    setInterval(() => server.closeIdleConnections(), 20)
    void gateway.close().then(() => server.close(() => process.exit()))
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
}

const [name = '', ...rest] = process.argv.slice(2)
if (name === '--help' || name === '-h') process.stdout.write(usage)
else if (Object.hasOwn(servers, name) && rest.length === 0) {
  await start(name as keyof typeof servers).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error)
    console.error(message.includes('EADDRINUSE') ? 'The port is taken: PORT=N chooses another.' : message)
    process.exit(1)
  })
} else {
  process.stderr.write(usage)
  process.exitCode = 2
}
