import { parseArgs } from 'node:util'
import { nanoDefaults, type NanoOptions } from './start.ts'

/** The port of the command line: next to Ollama's 11434, so that both can run. */
const commandPort = 11_435

/** What `--help` prints. */
export const usage: string = `A tiny demo model behind Ollama's own wire.

  nano-serve [--port N] [--host ADDRESS] [--tokens-per-second N] [--load-ms N]

  --port N               port to listen on; 0 takes any free one (default ${commandPort})
  --host ADDRESS         address to listen on (default ${nanoDefaults.host}: this machine only)
  --tokens-per-second N  pace of each answer; 0 is as fast as it goes (default ${nanoDefaults.tokensPerSecond})
  --load-ms N            play a slow model load: silence before the first token (default ${nanoDefaults.loadMs})
  --help                 print this
`

/**
 * Reads the command line.
 * @returns The options, or `'help'` when help was asked for.
 * @throws {TypeError} An unknown flag, or a flag without its value.
 * @throws {RangeError} A value that is not a number in its range.
 */
export function readFlags(args: readonly string[]): NanoOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      'tokens-per-second': { type: 'string' },
      'load-ms': { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) return 'help'
  return {
    port: readNumber('port', values.port, 65_535) ?? commandPort,
    host: values.host,
    tokensPerSecond: readNumber('tokens-per-second', values['tokens-per-second']),
    loadMs: readNumber('load-ms', values['load-ms'], 2 ** 31 - 1),
  }
}

function readNumber(name: string, text: string | undefined, max = Number.MAX_SAFE_INTEGER): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  const valid =
    text.trim() !== '' && value >= 0 && value <= max && (name === 'tokens-per-second' || Number.isInteger(value))
  if (!valid) throw new RangeError(`--${name} must be a number from 0 to ${max}, got '${text}'`)
  return value
}
