import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Ollama } from 'ollama'
import { expect, test } from 'vitest'
import { allLines, ask, expectedText, postChat, present, textOf, withNano, type Line } from './support.ts'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

test('ollama client: lists the model and chats with it', async () => {
  await withNano({}, async (nano) => {
    const client = new Ollama({ host: nano.url })
    expect((await client.list()).models.map(({ name }) => name)).toEqual(['nano:latest'])
    const messages = [{ role: 'user', content: 'Hello!' }]
    let text = ''
    for await (const part of await client.chat({
      model: 'nano',
      messages,
      options: { temperature: 0 },
      stream: true,
    })) {
      text += part.message.content
    }
    expect(text).toBe(expectedText('a greeting'))
    const whole = await client.chat({ model: 'nano', messages, options: { temperature: 0 } })
    expect(whole.message.content).toBe(text)
    expect((await client.ps()).models).toHaveLength(1)
    await expect(client.chat({ model: 'nope', messages })).rejects.toThrow("model 'nope' not found")
  })
})

test('ollama client: its abort ends the generation', async () => {
  await withNano({ tokensPerSecond: 0.001 }, async (nano) => {
    const client = new Ollama({ host: nano.url })
    const stream = await client.chat({ model: 'nano', messages: [{ role: 'user', content: 'Hello!' }], stream: true })
    await stream[Symbol.asyncIterator]().next()
    client.abort()
    await nano.idle()
    expect(nano.stats()).toEqual({ generating: 0, tokens: 1 })
  })
})

/** Runs the command, chats once, and ends it by a signal. */
async function tryCommand(main: string): Promise<{ text: string; output: string[]; code: number | null }> {
  const child = spawn(process.execPath, [main, '--port', '0', '--tokens-per-second', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const output: string[] = []
  const lines = createInterface({ input: child.stdout }).on('line', (line) => output.push(line))
  try {
    await once(lines, 'line')
    const url = present(/http:\S+/.exec(present(output[0])))[0]
    const response = await fetch(`${url}/api/chat`, { method: 'POST', body: JSON.stringify(ask('Hello!')) })
    const text = textOf(await allLines(response))
    child.kill('SIGTERM')
    const [code] = await exited
    return { text, output, code }
  } finally {
    child.kill('SIGKILL')
  }
}

test('command: serves from its source, says one line, and ends cleanly on SIGTERM', async () => {
  const { text, output, code } = await tryCommand(path('../src/main.ts'))
  expect(text).toBe(expectedText('a greeting'))
  expect(output).toEqual([expect.stringMatching(/^nano listens on http:\/\/127\.0\.0\.1:\d+ \(as fast as it goes\)$/)])
  expect(code).toBe(0)
})

const built = path('../dist/main.js')

test.skipIf(!existsSync(built))('command: serves from its build just the same', async () => {
  expect(await tryCommand(built)).toMatchObject({ text: expectedText('a greeting'), code: 0 })
})

test('command: a wrong flag is an error with exit code 1', async () => {
  const child = spawn(process.execPath, [path('../src/main.ts'), '--speed'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (complaint += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code).toBe(1)
  expect(complaint).toContain("nano-serve: Unknown option '--speed'")
})

test('startNano: a port that is taken is an error', async () => {
  await withNano({}, async (nano) => {
    const port = Number(new URL(nano.url).port)
    await expect(withNano({ port }, async () => {})).rejects.toThrow('EADDRINUSE')
    const reply = (await (await postChat(nano, { model: 'nano' })).json()) as Line
    expect(reply.done_reason).toBe('load')
  })
})
