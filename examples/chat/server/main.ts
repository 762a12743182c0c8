// The command: finds a model, serves the page and its gateway, and ends with everything it started.
import { createGateway } from '@midstream/core/gateway'
import { ollama } from '@midstream/core/upstream'
import { startNano } from '@midstream/example-nano'
import { fileURLToPath } from 'node:url'
import { findModel, ollamaUrl } from './find-model.ts'
import { readFlags, usage, type Flags } from './flags.ts'
import { serve } from './serve.ts'

/** Next to this file once it is built. */
const folder = fileURLToPath(new URL('./page', import.meta.url))

interface ModelServer {
  readonly url: string
  readonly model: string
  /** For the line that is printed. */
  readonly name: string
  close(): Promise<void>
}

async function openModel(flags: Flags): Promise<ModelServer> {
  const found = await findModel({ ...flags, fetch })
  if (found !== 'embedded') return { ...found, name: `Ollama at ${found.url}`, close: () => Promise.resolve() }
  // A server like any other, which only happens to live here: its inference has a thread of its own.
  const nano = await startNano()
  return {
    url: nano.url,
    model: 'nano',
    name: `the embedded model, as no Ollama with a model answers at ${ollamaUrl}`,
    close: () => nano.close(),
  }
}

async function start(flags: Flags): Promise<void> {
  const server = await openModel(flags)
  const gateway = createGateway({ upstream: ollama(server) })
  const page = await serve({ gateway, folder, port: flags.port, host: flags.host })
  console.log(`Midstream on ${page.url} · ${server.model} by ${server.name}`)

  const stop = (): void => {
    // A second signal ends the process at once, by the default handler.
    process.off('SIGINT', stop).off('SIGTERM', stop)
    void page
      .close()
      .then(() => server.close())
      .finally(() => process.exit())
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
}

function read(): Flags | 'help' {
  try {
    return readFlags(process.argv.slice(2))
  } catch (error) {
    return fail(error, 2)
  }
}

/** Not `exitCode`: what was started before the failure would keep the process alive. */
function fail(error: unknown, code: 1 | 2): never {
  console.error(`midstream: ${error instanceof Error ? error.message : String(error)}`)
  if (code === 2) console.error(`\n${usage}`)
  process.exit(code)
}

const flags = read()
if (flags === 'help') process.stdout.write(usage)
else await start(flags).catch((error: unknown) => fail(error, 1))
