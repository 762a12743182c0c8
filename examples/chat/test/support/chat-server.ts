import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const server = fileURLToPath(new URL('../../dist/server.js', import.meta.url))

/** The command as a person starts it, in a process of its own. */
export interface ChatServer {
  /** The line that it printed. */
  readonly line: string
  readonly url: string
  readonly port: number
  /** Ends it, and gives its exit code; null when the signal did. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** How a command that failed to start ended. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(flags: readonly string[]): ChildProcess {
  if (!existsSync(server)) throw new Error('examples/chat is not built: run `pnpm build` first')
  return spawn(process.execPath, [server, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs the command to its end. */
export async function runToEnd(flags: readonly string[]): Promise<Outcome> {
  const child = run(flags)
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new Error('no pipes')
  const code = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [out, err] = await Promise.all([text(stdout), text(stderr)])
  return { code: await code, stdout: out, stderr: err }
}

/** Starts the command and waits for its line. @throws {Error} With what it said when it ends before that. */
export async function startChatServer(flags: readonly string[]): Promise<ChatServer> {
  const child = run(flags)
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let said = ''
  const line = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      said += chunk.toString()
      const [first, rest] = said.split('\n')
      if (first?.startsWith('Midstream on') && rest !== undefined) resolve(first)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    void exited.then((code) => reject(new Error(`the server ended with ${code}: ${said}`)))
  })
  const url = /http:\S+/.exec(line)?.[0] ?? ''
  return {
    line,
    url,
    port: Number(new URL(url).port),
    async end(signal) {
      child.kill(signal)
      return exited
    },
  }
}
