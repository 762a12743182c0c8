import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { quietPort, requireProgram } from '@midstream/test-support'
import { onTestFinished } from 'vitest'

/** A real model server of llama.cpp; null where there is none: then the test skips. */
export const llamaServer: string | null = requireProgram(
  'llama-server',
  'of llama.cpp, in PATH or named by MIDSTREAM_LLAMA_SERVER',
  'MIDSTREAM_LLAMA_SERVER',
)

const nano = join(createRequire(import.meta.url).resolve('@midstream/example-nano/package.json'), '../nano.gguf')

/** As `GET /slots` says it: one place for a generation. */
interface Slot {
  readonly is_processing: boolean
  readonly n_prompt_tokens_processed: number
  readonly next_token: readonly { readonly n_decoded: number }[]
}

export interface LlamaServer {
  readonly port: number
  /** The base of its `/chat/completions`. */
  readonly url: string
  /** What its only slot does, by its own account: nothing, reading a prompt, or writing. */
  state(): Promise<'idle' | 'reading' | 'writing'>
  /** How many requests wait for the slot. */
  waiting(): Promise<number>
  /** `kill -9`; settles once the process is gone. */
  kill(): Promise<void>
  /** `kill -STOP`: its sockets stay open, and nothing comes any more. */
  freeze(): void
}

export interface LlamaServerOptions {
  /** @defaultValue a free one */
  readonly port?: number | undefined
  /** @defaultValue nano */
  readonly model?: string | undefined
  /** What `/health` answers once the test may begin; 503 while the model loads. @defaultValue 200 */
  readonly until?: 200 | 503 | undefined
  /** Takes what ends the server. @defaultValue it ends with its test */
  readonly onEnd?: ((end: () => Promise<void>) => void) | undefined
}

/** How long a server may take to start, ms: hundreds of times what it takes. */
const startMs = 25_000

/**
 * Starts a llama-server with one slot. Nano's context is stretched to so many tokens that a reply which ignores the end of
 * text, or a prompt of 20 000 characters, takes longer than any test.
 */
export async function startLlamaServer(options: LlamaServerOptions = {}): Promise<LlamaServer> {
  const { model = nano, until = 200, onEnd = onTestFinished } = options
  if (llamaServer === null) throw new Error('There is no llama-server.')
  const port = options.port ?? (await quietPort())
  const args = `--host 127.0.0.1 --port ${port} --offline --no-webui -t 1 -np 1 -b 128 -ub 128 --cache-ram 0 --slots --metrics`
  const stretch = ['--override-kv', 'llama.context_length=int:65536']
  const child = spawn(llamaServer, ['-m', model, ...args.split(' '), ...stretch], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4_000)))
  const exited = once(child, 'exit')
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null
  const kill = async (): Promise<void> => {
    if (isGone()) return
    child.kill('SIGKILL')
    await exited
  }
  onEnd(kill)

  const base = `http://127.0.0.1:${port}`
  const get = async (path: string): Promise<Response> => fetch(base + path, { signal: AbortSignal.timeout(5_000) })
  for (const giveUpAt = performance.now() + startMs; ; await passed(10)) {
    const status = await get('/health').then(
      (response) => response.status,
      () => 0,
    )
    if (status === until) break
    if (isGone() || performance.now() > giveUpAt) {
      await kill()
      throw new Error(`llama-server did not start:\n${log}`)
    }
  }
  return {
    port,
    url: `${base}/v1`,
    kill,
    freeze: () => void child.kill('SIGSTOP'),
    async state() {
      const [slot] = (await (await get('/slots')).json()) as Slot[]
      if (!slot?.is_processing) return 'idle'
      return slot.next_token.some((token) => token.n_decoded > 0) ? 'writing' : 'reading'
    },
    async waiting() {
      const metrics = await (await get('/metrics')).text()
      return Number(/^llamacpp:requests_deferred (\d+)/m.exec(metrics)?.[1])
    },
  }
}
