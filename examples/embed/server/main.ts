// The command: serves the blog and a gateway before a model, and ends with everything it started.
import { createGateway } from '@midstream/core/gateway'
import { ollama } from '@midstream/core/upstream'
import { startNano } from '@midstream/example-nano'
import { fileURLToPath } from 'node:url'
import { readFlags, usage, type Flags } from './flags.ts'
import { serve } from './serve.ts'

/** Next to this file once it is built. */
const folder = fileURLToPath(new URL('./blog', import.meta.url))

async function start({ port, upstream, model, allowedOrigins }: Flags): Promise<void> {
  const nano = upstream === undefined ? await startNano() : undefined
  const gateway = createGateway({
    upstream: ollama(nano ? { url: nano.url, model: 'nano' } : { url: upstream, model }),
    allowedOrigins,
  })
  const blog = await serve(gateway, folder, port)
  console.log(`The blog is on ${blog.url} · ${nano ? 'the embedded model' : `${model} by ${upstream}`}`)

  const stop = (): void => {
    // A second signal ends the process at once, by the default handler.
    process.off('SIGINT', stop).off('SIGTERM', stop)
    void blog
      .close()
      .then(() => nano?.close())
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
  console.error(`embed: ${error instanceof Error ? error.message : String(error)}`)
  if (code === 2) console.error(`\n${usage}`)
  process.exit(code)
}

const flags = read()
if (flags === 'help') process.stdout.write(usage)
else await start(flags).catch((error: unknown) => fail(error, 1))
