import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const serve = fileURLToPath(import.meta.resolve('@midstream/example-nano/package.json')).replace(
  'package.json',
  'dist/main.js',
)

/** The embedded model as a server in a process of its own, to be killed. */
export interface NanoProcess {
  readonly url: string
  readonly port: number
  kill(): Promise<void>
}

/** @throws {Error} When it ends before it listens. */
export async function startNanoProcess(port: number): Promise<NanoProcess> {
  const child = spawn(process.execPath, [serve, '--port', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const url = await new Promise<string>((resolve, reject) => {
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const found = /listens on (\S+) /.exec(said)?.[1]
      if (found !== undefined) resolve(found)
    })
    void exited.then(() => reject(new Error(`nano ended: ${said}`)))
  })
  return {
    url,
    port: Number(new URL(url).port),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
