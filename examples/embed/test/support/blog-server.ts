import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const server = fileURLToPath(new URL('../../dist/server.js', import.meta.url))

/** The command as a person starts it, in a process of its own. */
export interface BlogServer {
  /** The line that it printed. */
  readonly line: string
  readonly url: string
  /** Ends it, and gives its exit code; null when the signal did. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts the command and waits for its line. @throws {Error} With what it said when it ends before that. */
export async function startBlogServer(...flags: readonly string[]): Promise<BlogServer> {
  if (!existsSync(server)) throw new Error('examples/embed is not built: run `pnpm build` first')
  const child = spawn(process.execPath, [server, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const complaint = text(child.stderr)
  const line = await new Promise<string>((resolve, reject) => {
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.endsWith('\n')) resolve(said.trimEnd())
    })
    void exited.then(async (code) => reject(new Error(`ended with ${code}: ${await complaint}`)))
  })
  return {
    line,
    url: /http:\S+/.exec(line)?.[0] ?? '',
    end(signal = 'SIGTERM') {
      child.kill(signal)
      return exited
    },
  }
}
