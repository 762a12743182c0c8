// The command: reads the documents, serves the page and its gateway, and ends with everything it started.
import { systemClock } from '@midstream/core'
import { createGateway } from '@midstream/core/gateway'
import { ollama } from '@midstream/core/upstream'
import { startNano } from '@midstream/example-nano'
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { openDocumentFolder, type FolderReport } from '../search/document-folder.ts'
import { withSources } from '../upstream/with-sources.ts'
import { readFlags, usage, type Flags } from './flags.ts'
import { serve } from './serve.ts'

/** Both next to the built file. */
const page = fileURLToPath(new URL('./page', import.meta.url))
const ownDocuments = fileURLToPath(new URL('../documents', import.meta.url))

/** Skipped files that are named; of more, only the number is told. */
const maxNamed = 20

function tell({ documents, passages, skipped }: FolderReport): void {
  console.log(`${documents} documents, ${passages} passages`)
  if (passages === 0) console.warn('there is nothing to search: every answer will say that the documents have nothing')
  // A name is whatever somebody called the file, and the terminal would obey what is in it.
  for (const { path, why } of skipped.slice(0, maxNamed)) console.warn(`skipped ${JSON.stringify(path)}: ${why}`)
  if (skipped.length > maxNamed) console.warn(`skipped ${skipped.length - maxNamed} more`)
}

/** @throws {Error} That names the flag, when the folder cannot be listed. */
async function checkFolder(path: string): Promise<void> {
  await readdir(path).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const why = { ENOENT: 'there is no such folder', ENOTDIR: 'not a folder' }[String(code)]
    throw new Error(`--documents ${path}: ${why ?? `cannot be listed (${String(code)})`}`, { cause: error })
  })
}

async function start({ documents = ownDocuments, upstream: url, model, port, host }: Flags): Promise<void> {
  await checkFolder(documents)
  const folder = await openDocumentFolder(documents, { clock: systemClock, onChange: tell })
  const nano = url === undefined ? await startNano() : undefined
  const upstream = nano ? ollama({ url: nano.url, model: 'nano' }) : ollama({ url, model })
  // The embedded model has a context of 1 024 tokens.
  const sized = nano ? { maxChars: 600, maxPassages: 2 } : {}
  const gateway = createGateway({
    upstream: withSources(upstream, folder, sized),
    // With one of its own, the gateway takes none from a browser.
    system: 'You answer questions about the documents of the people you work for, briefly.',
  })
  const served = await serve({ gateway, page, port, host })
  const stop = (): void => {
    // A second signal ends the process at once, by the default handler.
    process.off('SIGINT', stop).off('SIGTERM', stop)
    void served
      .close()
      .then(() => nano?.close())
      .finally(() => process.exit())
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)

  const by = nano ? 'the embedded model, which streams but cannot read documents' : `${model} at ${url}`
  console.log(`Documents on ${served.url} · ${by}`)
  const { state } = (await upstream.status?.(AbortSignal.timeout(3_000))) ?? { state: 'ready' }
  if (state !== 'ready' && state !== 'idle') console.warn(`the model server says: ${state}`)
}

/** Not `exitCode`: what was started before the failure would keep the process alive. */
function fail(error: unknown, code: 1 | 2): never {
  console.error(`rag: ${error instanceof Error ? error.message : String(error)}`)
  if (code === 2) console.error(`\n${usage}`)
  process.exit(code)
}

function read(): Flags | 'help' {
  try {
    return readFlags(process.argv.slice(2))
  } catch (error) {
    return fail(error, 2)
  }
}

const flags = read()
if (flags === 'help') process.stdout.write(usage)
else await start(flags).catch((error: unknown) => fail(error, 1))
