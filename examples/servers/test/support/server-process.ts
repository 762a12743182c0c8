import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

type Environment = Readonly<Record<'PORT' | 'OLLAMA_URL' | 'MODEL', string>>

/** The command as a person starts it, in a process of its own. */
export interface ServerProcess {
  /** The line that it printed. */
  readonly line: string
  readonly url: string
  /** Ends it, and gives its exit code; null when the signal did. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

function run(args: readonly string[], environment: Partial<Environment>): ChildProcess {
  if (!existsSync(main)) throw new Error('examples/servers is not built: run `pnpm build` first')
  const { OLLAMA_URL: _, MODEL: __, ...env } = process.env
  return spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, PORT: '0', ...environment },
  })
}

/** Runs the command to its end. */
export async function runToEnd(
  args: readonly string[],
  environment: Partial<Environment> = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = run(args, environment)
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new Error('no pipes')
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [out, err] = await Promise.all([text(stdout), text(stderr)])
  return { code: await exited, stdout: out, stderr: err }
}

/** Starts the command and waits for its line. @throws {Error} With what it said when it ends before that. */
export async function startServer(name: string, environment: Partial<Environment> = {}): Promise<ServerProcess> {
  const child = run([name], environment)
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let said = ''
  const line = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      said += chunk.toString()
      const found = /^\w+ on http.*$/m.exec(said)?.[0]
      if (found !== undefined) resolve(found)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    void exited.then((code) => reject(new Error(`the server ended with ${code}: ${said}`)))
  })
  return {
    line,
    url: (/http:\S+/.exec(line)?.[0] ?? '').replace('localhost', '127.0.0.1'),
    end(signal) {
      child.kill(signal)
      return exited
    },
  }
}
