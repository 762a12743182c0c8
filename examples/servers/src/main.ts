// The command: starts one of the servers, in front of the embedded model unless the environment names another.
import { startNano, type Nano } from '@midstream/example-nano'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'

const apps = {
  express: () => import('./apps/express.ts'),
  fastify: () => import('./apps/fastify.ts'),
  hono: () => import('./apps/hono.ts'),
  koa: () => import('./apps/koa.ts'),
}

const usage = `usage: npm run demo:servers -- ${Object.keys(apps).join(' | ')}

  PORT        port to listen on; 0 takes any free one (default 8080)
  OLLAMA_URL  an Ollama server (default: the embedded model; with MODEL alone, http://127.0.0.1:11434)
  MODEL       one of its models (default qwen3:32b)
`

/** How long connections may take to end by themselves, ms. */
const graceMs = 1_000

async function run(name: keyof typeof apps): Promise<void> {
  const { OLLAMA_URL: url, MODEL: model, PORT = '8080' } = process.env
  let nano: Nano | undefined
  if (url === undefined && model === undefined) {
    nano = await startNano()
    Object.assign(process.env, { OLLAMA_URL: nano.url, MODEL: 'nano' })
  }
  const { gateway } = await import('./gateway.ts')
  const { start } = await apps[name]()
  const server = await start(Number(PORT))
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
else if (Object.hasOwn(apps, name) && rest.length === 0) {
  await run(name as keyof typeof apps).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error)
    console.error(message.includes('EADDRINUSE') ? 'The port is taken: PORT=N chooses another.' : message)
    process.exit(1)
  })
} else {
  process.stderr.write(usage)
  process.exitCode = 2
}
