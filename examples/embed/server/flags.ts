import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface Flags {
  readonly port: number
  /** An Ollama server; without one, the embedded model. */
  readonly upstream: string | undefined
  readonly model: string
  /** Pages of these origins may use the gateway, too. */
  readonly allowedOrigins: readonly string[]
}

/** What `--help` prints. */
export const usage: string = `A blog with a chat bubble, and the gateway behind it.

  node dist/server.js [--port N] [--upstream URL --model NAME] [--allow-origin ORIGIN]…

  --port N               port to listen on, on this machine only; 0 takes any free one (default 8080)
  --upstream URL         an Ollama server (default: the embedded model)
  --model NAME           one of its models (default qwen3:32b)
  --allow-origin ORIGIN  pages of this origin may use the gateway, too: https://blog.example
  --help                 print this
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
      port: { type: 'string', default: '8080' },
      upstream: { type: 'string' },
      model: { type: 'string' },
      'allow-origin': { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const { port, upstream, model, 'allow-origin': allowedOrigins, help } = values
  if (help === true) return 'help'
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new RangeError(`--port must be a whole number from 0 to 65535, got '${port}'`)
  }
  if (upstream !== undefined && !/^https?:\/\//.test(upstream)) {
    throw new TypeError(`--upstream must be an http(s) URL, got '${upstream}'`)
  }
  if (model !== undefined && upstream === undefined) throw new TypeError('--model needs --upstream')
  return { port: Number(port), upstream, model: model ?? 'qwen3:32b', allowedOrigins }
}
