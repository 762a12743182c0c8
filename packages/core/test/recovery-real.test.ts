import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway } from '../src/gateway/index.ts'
import { nodeTransport } from '../src/node/index.ts'
import { ollama, type Transport } from '../src/upstream/index.ts'
import { frameReader, textOf, type FrameReader, type WireEvent, type WireFrame } from './support/frames.ts'
import { closedPort } from './support/listen.ts'

// A real model server, a process of its own, is killed and stopped; time is real.

const main = join(createRequire(import.meta.url).resolve('@midstream/example-nano/package.json'), '../src/main.ts')

/** Where what a test has started ends with it. */
let onTestEnd: (end: () => Promise<void>) => void = onTestFinished

interface Server {
  readonly port: number
  /** Sends a signal; after SIGKILL it settles once the process is gone. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
}
async function startServer(port = 0, ...flags: string[]): Promise<Server> {
  const args = [main, '--port', String(port), '--tokens-per-second', '80', ...flags]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const signal: Server['signal'] = async (name) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(name)
    if (name === 'SIGKILL') await exited
  }
  onTestEnd(() => signal('SIGKILL'))
  for await (const line of createInterface(child.stdout)) {
    const url = /listens on (\S+)/.exec(line)?.[1]
    if (url) return { port: Number(new URL(url).port), signal }
  }
  throw new Error('the model server did not start')
}

function startGateway(port: number, transport: Transport = nodeTransport(), stallMs?: number): Gateway {
  const url = `http://127.0.0.1:${port}`
  const gateway = createGateway({
    upstream: ollama({ url, model: 'nano', transport }),
    heartbeat: { intervalMs: 500 },
    fuse: { stallMs },
  })
  onTestEnd(() => gateway.close())
  return gateway
}
const question = { role: 'user', content: 'Tell me a story about a fox' }
const ask = { messages: [question], options: { temperature: 0 } }
const post = (gateway: Gateway, body: object): Promise<Response> =>
  gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body: JSON.stringify(body) }))
async function stream(gateway: Gateway, body: object = ask): Promise<{ frames: FrameReader; first: WireEvent }> {
  const frames = frameReader((await post(gateway, body)).body)
  return { frames, first: (await frames.next())!.event }
}
/** Frames until so much text has come. */
async function untilText(frames: FrameReader, chars: number): Promise<WireFrame[]> {
  let length = 0
  return frames.until(({ message = '' }) => (length += message.length) >= chars)
}
const isRetry = (event: WireEvent): boolean => event.attempt !== undefined

/** What the model says when nothing happens. */
let whole = ''
beforeAll(async () => {
  const ends: (() => Promise<void>)[] = []
  onTestEnd = (end) => void ends.push(end)
  const { port } = await startServer()
  const answer = (await (await post(startGateway(port), { ...ask, stream: false })).json()) as {
    message: { content: string }
  }
  whole = answer.message.content
  for (const end of ends) await end()
  onTestEnd = onTestFinished
})

test(
  'model server: killed in the middle of its answer and started again after several attempts in vain, the answer is the same',
  { timeout: 30_000 },
  async () => {
    const server = await startServer()
    const { frames } = await stream(startGateway(server.port))
    const seen = await untilText(frames, 150)
    await server.signal('SIGKILL')
    seen.push(...(await frames.until(isRetry)))
    expect(seen.at(-1)?.event).toMatchObject({ status: 'recovering', attempt: 1 })
    expect(textOf(seen).length).toBeLessThan(whole.length)
    // Three more have failed, and the next one is waited for at least twice as long as a ping.
    seen.push(...(await frames.until(({ attempt = 0 }) => attempt === 4)))
    seen.push(...(await frames.until(({ ping }) => ping !== undefined)))
    await startServer(server.port)
    seen.push(...(await frames.rest()))
    expect(textOf(seen)).toBe(whole)
    expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: 'stop' })
    // Every position once, in order: nothing lost, nothing doubled.
    let position = 0
    for (const { id, event } of seen) {
      if (event.message !== undefined) expect(id).toBe((position += event.message.length))
    }
    expect(position).toBe(whole.length)
  },
)

test('model server: killed before its first token, it is asked again', { timeout: 30_000 }, async () => {
  const loading = await startServer(0, '--load-ms', '600000')
  const sent = Promise.withResolvers<void>()
  const send = nodeTransport()
  const transport: Transport = (request, sink) => {
    send(request, sink)
    sent.resolve()
  }
  const { frames } = await stream(startGateway(loading.port, transport))
  await sent.promise
  // It has answered a later request, so it has the earlier one.
  await (await fetch(`http://127.0.0.1:${loading.port}/api/version`)).text()
  await loading.signal('SIGKILL')
  const seen = await frames.until(isRetry)
  expect(seen.at(-1)?.event).toMatchObject({ status: 'waiting', attempt: 1 })
  await startServer(loading.port)
  expect(textOf(await frames.rest())).toBe(whole)
})

test('model server: a request made while it is down is answered once it is up', { timeout: 30_000 }, async () => {
  const port = await closedPort()
  const gateway = startGateway(port)
  const { frames } = await stream(gateway)
  const json = post(gateway, { ...ask, stream: false })
  await frames.until(({ attempt = 0 }) => attempt === 2)
  await startServer(port)
  const seen = await frames.rest()
  expect(textOf(seen)).toBe(whole)
  expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: 'stop' })
  expect(await (await json).json()).toMatchObject({ message: { content: whole }, reason: 'stop' })
})

test(
  'model server: stopped in mid-reply, it is asked again, and the run goes on once it runs',
  { timeout: 40_000 },
  async () => {
    const server = await startServer()
    const gateway = startGateway(server.port, nodeTransport(), 1_000)
    const { frames } = await stream(gateway)
    const seen = await untilText(frames, 150)
    await server.signal('SIGSTOP')
    seen.push(...(await frames.until(isRetry)))
    expect(seen.at(-1)?.event).toMatchObject({ status: 'recovering', attempt: 1 })
    expect(whole.startsWith(textOf(seen))).toBe(true)
    await server.signal('SIGCONT')
    seen.push(...(await frames.rest()))
    expect(textOf(seen)).toBe(whole)
    expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: 'stop' })
  },
)
