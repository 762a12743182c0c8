import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface Flags {
  /** Folder of documents; undefined is the one of the example. */
  readonly documents: string | undefined
  readonly port: number
  readonly host: string
  /** An Ollama server; undefined is the embedded model. */
  readonly upstream: string | undefined
  readonly model: string
}

/** What `--help` prints. */
export const usage: string = `Answers from a folder of documents, with their sources.

  node dist/server.js [--documents FOLDER] [--upstream URL [--model NAME]] [--port N] [--host ADDRESS]

  --documents FOLDER  .md and .txt files, in UTF-8 (default: the documents of the example)
  --upstream URL      an Ollama server, such as http://127.0.0.1:11434 (default: the embedded model, which is for show)
  --model NAME        one of its models (default qwen3:32b)
  --port N            port to listen on; 0 takes any free one (default 8085)
  --host ADDRESS      address to listen on (default 127.0.0.1: this machine only)
  --help              print this
`

/**
 * Reads the command line.
 * @returns The flags with their defaults, or `'help'` when help was asked for.
 * @throws {TypeError | RangeError} An unknown flag, a missing value, or one that makes no sense.
 */
export function readFlags(args: readonly string[]): Flags | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      documents: { type: 'string' },
      upstream: { type: 'string' },
      model: { type: 'string' },
      port: { type: 'string', default: '8085' },
      host: { type: 'string', default: '127.0.0.1' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const { documents, upstream, model, port, host, help } = values
  if (help === true) return 'help'
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new RangeError(`--port must be a whole number from 0 to 65535, got '${port}'`)
  for (const [name, value] of Object.entries({ documents, upstream, model, host }))
    if (value === '') throw new TypeError(`--${name} must not be empty`)
  if (upstream !== undefined && !isHttp(upstream))
    throw new TypeError(`--upstream must be an http(s) URL, got '${upstream}'`)
  if (model !== undefined && upstream === undefined) throw new TypeError('--model needs --upstream')
  return { documents, upstream, model: model ?? 'qwen3:32b', port: Number(port), host }
}

// `gpu:1` is a URL, too: of the scheme `gpu`.
const isHttp = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
