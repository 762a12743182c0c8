import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createRunner } from '../src/runner/runner.ts'
import { createResidency } from '../src/server/residency.ts'
import { createNanoServer } from '../src/server/server.ts'
import {
  allLines,
  ask,
  expected,
  expectedText,
  postChat,
  present,
  readLines,
  recording,
  textOf,
  withNano,
} from './support.ts'

const story = 'Tell me a story about a fox'

test('streams: when the client leaves, no further token is made', async () => {
  // The second token is due in 1,000 s, so whatever ends the generation before is the client's leaving.
  await withNano({ tokensPerSecond: 0.001 }, async (nano) => {
    const client = new AbortController()
    const response = await postChat(nano, ask(story), client.signal)
    const first = await readLines(response).next()
    expect(first.value).toMatchObject({ done: false })
    expect(nano.stats().generating).toBe(1)
    client.abort()
    await nano.idle()
    expect(nano.stats()).toEqual({ generating: 0, tokens: 1 })
  })
})

test('streams: when the client leaves at full speed, the rest is not made', async () => {
  await withNano({}, async (nano) => {
    const options = { temperature: 2, top_k: 0, num_predict: -1, seed: 1 }
    await allLines(await postChat(nano, ask(story, { options })))
    const whole = nano.stats().tokens
    const client = new AbortController()
    for await (const _ of readLines(await postChat(nano, ask(story, { options }), client.signal))) break
    client.abort()
    await nano.idle()
    expect(nano.stats().tokens - whole).toBeLessThan(whole)
  })
})

test('streams: a client that waits for one whole answer can leave, too', async () => {
  await withNano({ tokensPerSecond: 0.001 }, async (nano) => {
    const client = new AbortController()
    const waiting = postChat(nano, ask(story, { stream: false }), client.signal)
    while (nano.stats().generating === 0) await fetch(`${nano.url}/api/version`)
    client.abort()
    await expect(waiting).rejects.toThrow('aborted')
    await nano.idle()
    expect(nano.stats().generating).toBe(0)
  })
})

test('streams: a client that leaves during the load aborts it', async () => {
  await withNano({ loadMs: 600_000 }, async (nano) => {
    const client = new AbortController()
    const waiting = postChat(nano, ask(story), client.signal)
    await fetch(`${nano.url}/api/version`)
    client.abort()
    await expect(waiting).rejects.toThrow('aborted')
    expect(nano.stats()).toEqual({ generating: 0, tokens: 0 })
    expect(await (await fetch(`${nano.url}/api/ps`)).json()).toEqual({ models: [] })
  })
})

test('streams: a slow load is silence, then an answer that says how long it took; the next one does not wait', async () => {
  await withNano({ loadMs: 60 }, async (nano) => {
    const loadNs = async () => present((await allLines(await postChat(nano, ask('Hello!')))).at(-1)?.load_duration)
    const [first, second] = [await loadNs(), await loadNs()]
    expect(first).toBeGreaterThan(55e6)
    expect(second).toBeLessThan(first)
  })
})

test('streams: several answers at once are whole and not mixed', async () => {
  await withNano({}, async (nano) => {
    const plain = expected.filter(({ options }) => Object.keys(options).length === 0).slice(0, 6)
    const texts = await Promise.all(
      plain.map(async ({ messages }) => textOf(await allLines(await postChat(nano, ask('', { messages }))))),
    )
    expect(texts).toEqual(plain.map(({ text }) => text))
  })
})

test('streams: answers at once take turns', async () => {
  await withNano({}, async (nano) => {
    const answers = await Promise.all([0, 1].map(async () => allLines(await postChat(nano, ask(story)))))
    const made = answers.flatMap((lines, client) =>
      lines.map(({ created_at }) => ({ client, stamp: present(created_at).replace('Z', '').padEnd(29, '0') })),
    )
    const order = made.toSorted((a, b) => (a.stamp < b.stamp ? -1 : 1)).map(({ client }) => client)
    // One answer after the other would change hands once.
    const changes = order.filter((client, i) => i > 0 && client !== order[i - 1]).length
    expect(changes).toBeGreaterThan(10)
  })
})

test('streams: the server answers while the model works at full speed', async () => {
  await withNano({}, async (nano) => {
    const leave = new AbortController()
    const body = ask(story, { options: { temperature: 2, top_k: 0, num_predict: -1, seed: 1 } })
    const responses = await Promise.all([1, 2, 3, 4].map(() => postChat(nano, body, leave.signal)))
    expect(responses.every(({ ok }) => ok)).toBe(true)
    await (await fetch(`${nano.url}/api/version`)).json()
    expect(nano.stats().generating).toBeGreaterThan(0)
    leave.abort()
    await nano.idle()
  })
})

test('streams: the pace is kept', async () => {
  await withNano({ tokensPerSecond: 20 }, async (nano) => {
    const body = ask('Hello!', { options: { temperature: 0, num_predict: 5 } })
    const lines = await allLines(await postChat(nano, body))
    // Five tokens of 50 ms, measured in the worker: no timer can make it less.
    expect(lines.at(-1)?.eval_duration).toBeGreaterThanOrEqual(200e6)
  })
})

test('streams: a model that dies midway gives an error line, and before the first token a 500', async () => {
  const runner = createRunner(new URL('./fixtures/faulty-worker.ts', import.meta.url), { tokensPerSecond: 0 })
  const file = { bytes: 1, digest: '', modifiedMs: 0 }
  const server = createNanoServer({ runner, residency: createResidency(0), stamp: () => 'now', file, version: '0' })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/chat`
  try {
    const streamed = await fetch(url, { method: 'POST', body: JSON.stringify(ask(story)) })
    const lines = await allLines(streamed)
    expect(textOf(lines)).toBe('one two')
    expect(JSON.stringify(lines.at(-1))).toBe(recording('chat-runner-killed').body.trimEnd().split('\n').at(-1))
    const whole = await fetch(url, { method: 'POST', body: JSON.stringify(ask(story, { stream: false })) })
    expect(whole.status).toBe(recording('chat-non-stream-runner-killed').status)
    expect(await whole.text()).toBe(recording('chat-non-stream-runner-killed').body)
  } finally {
    server.closeAllConnections()
    server.close()
    await runner.close()
  }
})

test('streams: closing the server cuts open answers off and frees its port', async () => {
  await withNano({ tokensPerSecond: 0.001 }, async (nano) => {
    const lines = readLines(await postChat(nano, ask(story)))
    await lines.next()
    await nano.close()
    await expect(lines.next()).rejects.toThrow('terminated')
    await expect(fetch(nano.url)).rejects.toThrow('fetch failed')
  })
})

test('streams: an answer after an abandoned one is whole', async () => {
  await withNano({}, async (nano) => {
    const client = new AbortController()
    for await (const _ of readLines(await postChat(nano, ask(story), client.signal))) break
    client.abort()
    expect(textOf(await allLines(await postChat(nano, ask(story))))).toBe(expectedText('a story'))
  })
})
