import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const server = fileURLToPath(new URL('../../dist/server.js', import.meta.url))

/** The command as a person starts it, in a process of its own. */
export interface RagServer {
  readonly url: string
  readonly port: number
  /** What it has said so far. */
  said(): string
  /** Ends it, and gives its exit code; null when the signal did. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** @throws {Error} With what it said and how it ended, when it ends before it listens. */
export async function startRagServer(flags: readonly string[]): Promise<RagServer> {
  if (!existsSync(server)) throw new Error('examples/rag is not built: run `pnpm build` first')
  const child: ChildProcess = spawn(process.execPath, [server, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      said += chunk.toString()
      const found = /^Documents on (\S+) .*\n/m.exec(said)?.[1]
      if (found !== undefined) resolve(found)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    void closed.then((code) => reject(new Error(`ended with ${code}: ${said}`)))
  })
  return {
    url,
    port: Number(new URL(url).port),
    said: () => said,
    async end(signal) {
      child.kill(signal)
      return closed
    },
  }
}
