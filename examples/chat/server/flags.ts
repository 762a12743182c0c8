import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface Flags {
  readonly port: number
  readonly host: string
  readonly upstream?: string | undefined
  readonly model?: string | undefined
}

/** What `--help` prints. */
export const usage: string = `A chat page and its gateway.

  node dist/server.js [--port N] [--host ADDRESS] [--upstream URL] [--model NAME]

  --port N         port to listen on; 0 takes any free one (default 8080)
  --host ADDRESS   address to listen on (default 127.0.0.1: this machine only)
  --upstream URL   an Ollama server (default: http://127.0.0.1:11434 when it answers, else the embedded model)
  --model NAME     model to use (default: qwen3:32b where it is there, else the first that can chat)
  --help           print this
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
      host: { type: 'string', default: '127.0.0.1' },
      upstream: { type: 'string' },
      model: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const { port, host, upstream, model, help } = values
  if (help === true) return 'help'
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new RangeError(`--port must be a whole number from 0 to 65535, got '${port}'`)
  }
  if (host === '') throw new TypeError('--host must not be empty')
  if (model === '') throw new TypeError('--model must not be empty')
  if (upstream !== undefined && !/^https?:$/.test(URL.canParse(upstream) ? new URL(upstream).protocol : '')) {
    throw new TypeError(`--upstream must be an http(s) URL, got '${upstream}'`)
  }
  return { port: Number(port), host, upstream: upstream?.replace(/\/+$/, ''), model }
}
