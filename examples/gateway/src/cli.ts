import { version } from '@midstream/core'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Config } from './config/config.ts'
import { loadConfig } from './config/load.ts'
import { start } from './start.ts'
import { createLog } from './watch/logs.ts'

const usage = `midstream-gateway: a gateway for streaming chats in front of your model server.

  midstream-gateway --config FILE           starts it; Ctrl-C or SIGTERM ends it
  midstream-gateway --config FILE --check   only checks the file

  --config FILE   a YAML file; the least of it:
                      model:
                        provider: ollama
                        model_name: qwen3:32b
  --check         exit code 0 for a file that is fine, 1 with everything that is wrong with it
  --help          this
  --version       ${version}

What it says at the start goes to standard output, its log, a line of JSON for each run, to standard error.
`

/** What stops the program before it runs: a sentence, and an exit code. 2: called in a way it does not know; 1: anything else. */
interface Refusal {
  readonly refusal: string
  readonly code: 1 | 2
}

type Flags = { readonly help: boolean; readonly version: boolean; readonly check: boolean; readonly config: string }

function readFlags(args: readonly string[]): Flags | Refusal {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string', short: 'c' },
        check: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
    const { help = false, version: isVersion = false, check = false, config } = values
    if (!config && !help && !isVersion) return { refusal: '--config FILE is missing; --help tells more', code: 2 }
    return { help, version: isVersion, check, config: config ?? '' }
  } catch (error) {
    return { refusal: `${wordsOf(error)}; --help tells more`, code: 2 }
  }
}

function readConfig(file: string): Config | Refusal {
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const why = code === 'ENOENT' ? 'there is no such file' : wordsOf(error)
    return { refusal: `cannot read ${file}: ${why}. --help shows the least that a configuration needs.`, code: 1 }
  }
  const loaded = loadConfig(source, file, { environment: process.env, folder: dirname(resolve(file)) })
  if ('config' in loaded) return loaded.config
  const { length } = loaded.problems
  const head = length === 1 ? 'the configuration has a problem' : `the configuration has ${length} problems`
  return { refusal: `${head}:\n${loaded.problems.join('\n')}`, code: 1 }
}

/** The command. @param args - Without the names of the program. */
export async function main(args: readonly string[]): Promise<void> {
  // Whoever read what is printed has gone; that must not end the chats.
  process.stdout.on('error', () => undefined)
  const flags = readFlags(args)
  if ('refusal' in flags) return refuse(flags)
  if (flags.help) return void process.stdout.write(usage)
  if (flags.version) return void process.stdout.write(`${version}\n`)
  const config = readConfig(flags.config)
  if ('refusal' in config) return refuse(config)
  if (flags.check) return void process.stdout.write(`${flags.config} is fine\n`)
  await run(config, dirname(resolve(flags.config))).catch((error: unknown) =>
    refuse({ refusal: wordsOf(error), code: 1 }),
  )
}

async function run(config: Config, folder: string): Promise<void> {
  const log = createLog(config.logging, 2)
  const program = await start(config, folder, log)
  let signals = 0
  const stop = (signal: NodeJS.Signals): void => {
    signals += 1
    if (signals > 1) return program.hurry()
    log.info({ signal, drain_ms: config.server.drain_ms }, 'draining: no new runs; a second signal ends at once')
    // What still holds the process, an idle connection to a model server, say, is nobody's any more.
    void program.drain().then(() => process.exit(0))
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  console.log(`Server started on :${program.port}`)
  console.log(`Chat at ${program.url}${config.server.base_path}`)
  if (config.server.static !== undefined) console.log(`Page at ${program.url}/`)
  for (const line of await program.describe()) console.log(line)
}

/** Not `exitCode`: what was started before the failure would keep the process alive. */
function refuse({ refusal, code }: Refusal): never {
  console.error(`midstream-gateway: ${refusal}`)
  process.exit(code)
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
