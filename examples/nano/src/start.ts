import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRunner, type RunnerStats } from './runner/runner.ts'
import type { ModelFile } from './server/model-card.ts'
import { createResidency } from './server/residency.ts'
import { createNanoServer } from './server/server.ts'
import { createStamps } from './server/stamp.ts'

/** How the server is started. */
export interface NanoOptions {
  /** 0 takes any free port. @defaultValue 0 */
  readonly port?: number | undefined
  /** Address to listen on. @defaultValue '127.0.0.1' */
  readonly host?: string | undefined
  /** Pace of each answer; 0 means as fast as it goes. @defaultValue 40 */
  readonly tokensPerSecond?: number | undefined
  /** Plays a slow model load: this long a silence before the first token of the first answer, ms. @defaultValue 0 */
  readonly loadMs?: number | undefined
}

/** Defaults of `startNano`. */
export const nanoDefaults: Readonly<Required<{ [K in keyof NanoOptions]: NonNullable<NanoOptions[K]> }>> =
  Object.freeze({ port: 0, host: '127.0.0.1', tokensPerSecond: 40, loadMs: 0 })

/** A running server. */
export interface Nano {
  /** Its address, such as `http://127.0.0.1:40123`. */
  readonly url: string
  /** What it generates now, and how much it has made. */
  stats(): RunnerStats
  /** Settles when it generates nothing. */
  idle(): Promise<void>
  /** Ends everything: open answers are cut off, the worker ends, the port is free. */
  close(): Promise<void>
}

/**
 * Starts the nano model behind Ollama's wire, with its inference in a worker thread.
 * @throws {RangeError} A negative or otherwise impossible option.
 * @throws {Error} The port is taken (`EADDRINUSE`), or the model file is missing (`ENOENT`).
 */
export async function startNano(options: NanoOptions = {}): Promise<Nano> {
  const { port = nanoDefaults.port, host = nanoDefaults.host } = options
  const { tokensPerSecond = nanoDefaults.tokensPerSecond, loadMs = nanoDefaults.loadMs } = options
  for (const [name, value] of Object.entries({ port, tokensPerSecond, loadMs })) {
    if (!(value >= 0 && Number.isFinite(value))) throw new RangeError(`${name} must be 0 or more, got ${value}`)
  }
  const file = await describeFile(new URL('../nano-lm.bin', import.meta.url))
  // Node runs the source as it is, so the worker's file ends like this one's.
  const workerName = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js'
  const runner = createRunner(new URL(workerName, import.meta.url), { tokensPerSecond })
  const stamp = createStamps(Date.now, process.hrtime.bigint)
  const server = createNanoServer({ runner, residency: createResidency(loadMs), stamp, file, version: '0.0.0-nano' })
  try {
    await listen(server, port, host)
  } catch (error) {
    await runner.close()
    throw error
  }
  return {
    url: addressOf(server),
    stats: () => runner.stats(),
    idle: () => runner.idle(),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await Promise.all([closed, runner.close()])
    },
  }
}

async function describeFile(url: URL): Promise<ModelFile> {
  const [bytes, { mtimeMs }] = await Promise.all([readFile(url), stat(url)])
  return { bytes: bytes.length, digest: createHash('sha256').update(bytes).digest('hex'), modifiedMs: mtimeMs }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
