import { ChatError } from '@midstream/core'
import type { ScriptedReply } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import type { ChatMessage } from '../src/message.ts'
import {
  asked,
  interrupted,
  isIdle,
  reply,
  setup,
  shows,
  tell,
  transcript,
  turn,
  when,
  type SetupOptions,
} from './support.ts'

const tool = { id: 'call_1', name: 'look', arguments: {} }
const crash = new ChatError('upstream_crashed', 'The runner died.', { retryable: true })

test('continue: an interrupted reply grows in the same message, from where it was', async () => {
  const { session, upstream, requests } = await interrupted('Once', ' upon')
  const { id } = reply(session.getSnapshot())
  const continued = session.continue()
  expect(session.getSnapshot().status).toBe('submitting')
  expect(reply(session.getSnapshot())).toMatchObject({ id, content: 'Once upon', state: 'streaming' })
  const run = await upstream.next()
  expect(asked(requests).at(-1)).toMatchObject({
    resume: 'continue',
    messages: [
      { role: 'user', content: 'Tell me' },
      { role: 'assistant', content: 'Once upon' },
    ],
  })
  expect(run.request).toMatchObject({ prefill: 'Once upon', messages: [{ role: 'user', content: 'Tell me' }] })
  run.send(' a time')
  run.finish()
  expect(await continued).toMatchObject({ id, content: 'Once upon a time', state: 'done', reason: 'stop' })
  expect(session.getSnapshot().messages).toHaveLength(2)
})

test('continue: goes on before trailing white space, at the end of a delta, and cuts the old text there', async () => {
  const { session, upstream } = await interrupted('Once', ' upon', ' ', '\n')
  void session.continue()
  const run = await upstream.next()
  expect(run.request.prefill).toBe('Once upon')
  // The old text stands until there is new text in its place.
  expect(reply(session.getSnapshot()).content).toBe('Once upon \n')
  run.send(' a')
  await when(session, shows('Once upon a'))
  run.finish()
  await when(session, isIdle)
})

test('continue: a reply that was cut inside a delta goes on from the delta before', async () => {
  const { session, upstream, requests, fetch } = setup()
  await tell(session, upstream, 'Once', ' upon', ' a time')
  const runId = String(asked(requests)[0]!['run_id'])
  await fetch(`/api/chat/runs/${runId}/interrupt`, { method: 'POST', body: '{"position":13}' })
  await when(session, shows('Once upon a t'))
  void session.continue()
  const run = await upstream.next()
  expect(run.request.prefill).toBe('Once upon')
  run.send(' a', ' time')
  await when(session, shows('Once upon a time'))
  await session.clear()
})

test('continue: a failed reply, one that was dropped, and one cut at a limit go on alike', async () => {
  const ends: readonly [string, SetupOptions, (run: ScriptedReply) => void, Partial<ChatMessage>][] = [
    ['failed', { gateway: { recovery: false } }, (run) => run.fail(crash), { state: 'failed' }],
    ['limit', {}, (run) => run.finish('length'), { state: 'done', reason: 'length' }],
  ]
  for (const [, options, end, state] of ends) {
    const { session, upstream } = setup(options)
    end(await tell(session, upstream, 'Once'))
    await when(session, (snapshot) => reply(snapshot).state !== 'streaming')
    expect(reply(session.getSnapshot())).toMatchObject(state)
    const continued = session.continue()
    expect(session.getSnapshot().error).toBe(null)
    expect(reply(session.getSnapshot())).toMatchObject({ state: 'streaming', error: undefined, reason: undefined })
    const run = await upstream.next()
    expect(run.request.prefill).toBe('Once')
    run.send(' more')
    run.finish()
    expect(await continued).toMatchObject({ content: 'Once more', state: 'done', reason: 'stop', error: undefined })
  }
})

test('continue: a dropped reply goes on, and the run it had is ended', async () => {
  let isDown = false
  const { gateway, all } = downable(() => isDown)
  const { session, upstream } = all
  const first = await tell(session, upstream, 'Once')
  isDown = true
  gateway.drop()
  await when(session, ({ status }) => status === 'error')
  expect(reply(session.getSnapshot())).toMatchObject({ content: 'Once', state: 'dropped' })
  isDown = false
  void session.continue()
  const run = await upstream.next()
  expect(first.signal.aborted).toBe(true)
  expect(run.request.prefill).toBe('Once')
  run.send(' more')
  await when(session, shows('Once more'))
  await session.clear()
})

/** A network that can go: what is under way breaks off, and nothing gets through. */
function downable(isDown: () => boolean, maxMs = 0): { gateway: { drop(): void }; all: ReturnType<typeof setup> } {
  const drops: (() => void)[] = []
  const all = setup({ reconnect: { maxMs } })
  const { fetch } = all
  const session = all.open({
    fetch: (input, init) => {
      if (isDown()) return Promise.reject(new TypeError('fetch failed'))
      const cut = new AbortController()
      drops.push(() => cut.abort(new TypeError('terminated')))
      const signal = init?.signal ? AbortSignal.any([init.signal, cut.signal]) : cut.signal
      return fetch(input, { ...init, signal })
    },
  })
  return { gateway: { drop: () => drops.forEach((drop) => drop()) }, all: { ...all, session } }
}

test('continue: continued, interrupted and continued again it stays one message with one text', async () => {
  const { session, upstream, requests } = await interrupted('Once', ' upon')
  const { id } = reply(session.getSnapshot())
  void session.continue()
  ;(await upstream.next()).send(' a', ' ti')
  await when(session, shows('Once upon a ti'))
  expect(await session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(requests.at(-1)!.body).toEqual({ position: 5 })
  expect(reply(session.getSnapshot())).toMatchObject({ id, content: 'Once upon a ti', state: 'interrupted' })
  const continued = session.continue()
  const run = await upstream.next()
  expect(run.request.prefill).toBe('Once upon a ti')
  run.send('me')
  run.finish()
  expect(await continued).toMatchObject({ id, content: 'Once upon a time', state: 'done' })
  expect(transcript(session.getSnapshot())).toEqual(['> Tell me', 'Once upon a time (done)'])
})

test('continue: interrupted before it has said anything, it goes on from the same text once more', async () => {
  const { session, upstream } = await interrupted('Once', ' upon', ' ')
  void session.continue()
  await upstream.next()
  await when(session, ({ status }) => status === 'waiting')
  await session.interrupt()
  expect(reply(session.getSnapshot())).toMatchObject({ content: 'Once upon ', state: 'interrupted' })
  void session.continue()
  const run = await upstream.next()
  expect('Once upon '.startsWith(run.request.prefill)).toBe(true)
  expect(run.request.prefill).toMatch(/^Once/)
  run.send(' a')
  await when(session, shows(`${run.request.prefill} a`))
  await session.clear()
})

test('continue: a follow-up after an interrupted continuation carries the whole text, to the character', async () => {
  const { session, upstream, requests } = await interrupted('Once', ' upon')
  void session.continue()
  ;(await upstream.next()).send(' a', ' ti')
  await when(session, shows('Once upon a ti'))
  void session.send('Thanks')
  const [, partial] = session.getSnapshot().messages
  expect(partial).toMatchObject({ content: 'Once upon a ti', state: 'interrupted' })
  await upstream.next()
  expect(asked(requests).at(-1)).toMatchObject({
    interrupts: { position: 5 },
    messages: [
      { role: 'user', content: 'Tell me' },
      { role: 'assistant', content: 'Once upon a ti', interrupted: true },
      { role: 'user', content: 'Thanks' },
    ],
  })
  await session.clear()
})

test('continue: while the interrupt before it is not confirmed it is the same message that grows', async () => {
  let confirm = (): void => {}
  const all = setup()
  const session = all.open({
    fetch: async (input, init) => {
      const response = await all.fetch(input, init)
      if ((input as string).endsWith('/interrupt')) await new Promise<void>((resolve) => (confirm = resolve))
      return response
    },
  })
  await tell(session, all.upstream, 'Once', ' upon')
  const settled = session.interrupt()
  const continued = session.continue()
  const run = await all.upstream.next()
  run.send(' a')
  await when(session, shows('Once upon a'))
  confirm()
  expect(await settled).toEqual({ outcome: 'interrupted' })
  expect(reply(session.getSnapshot())).toMatchObject({ content: 'Once upon a', state: 'streaming' })
  run.send(' time')
  run.finish()
  expect(await continued).toMatchObject({ content: 'Once upon a time', state: 'done' })
})

test('continue: a reply without text is asked for anew', async () => {
  const { session, upstream, requests } = setup()
  void session.send('Tell me')
  await upstream.next()
  await session.interrupt()
  const { id } = reply(session.getSnapshot())
  const continued = session.continue()
  const run = await upstream.next()
  expect(asked(requests).at(-1)).not.toHaveProperty('resume')
  expect(asked(requests).at(-1)!['messages']).toEqual([{ role: 'user', content: 'Tell me' }])
  run.send('Once')
  run.finish()
  expect(await continued).toMatchObject({ id, content: 'Once', state: 'done' })
})

test('continue: is refused when there is no reply, while it streams, and when it holds a tool call', async () => {
  const { session, upstream } = setup()
  expect(() => session.continue()).toThrow(TypeError)
  void session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  expect(() => session.continue()).toThrow(TypeError)
  run.send({ tool_call: tool })
  run.finish('tool_calls')
  await when(session, isIdle)
  expect(() => session.continue()).toThrow(TypeError)
})

test('continue: one that fails keeps the old text, and can be tried again', async () => {
  const { session, upstream } = setup({ gateway: { recovery: false } })
  await tell(session, upstream, 'Once', ' upon', ' ')
  await session.interrupt()
  const continued = session.continue()
  ;(await upstream.next()).fail(crash)
  expect(await continued).toMatchObject({ content: 'Once upon ', state: 'failed', error: { code: 'upstream_crashed' } })
  void session.continue()
  const run = await upstream.next()
  run.send(' a')
  await when(session, shows(`${run.request.prefill} a`))
  await session.clear()
})

test('continue: one that the gateway refuses keeps the old text', async () => {
  const all = setup()
  let isBusy = false
  const session = all.open({
    fetch: (input, init) =>
      isBusy
        ? Promise.resolve(
            Response.json({ error: { code: 'too_large', message: '', retryable: false } }, { status: 413 }),
          )
        : all.fetch(input, init),
  })
  await tell(session, all.upstream, 'Once ')
  await session.interrupt()
  isBusy = true
  expect(await session.continue()).toMatchObject({ content: 'Once ', state: 'failed', error: { code: 'too_large' } })
})

test('interrupt: of a continuation that this page is behind of, the gateway’s text is taken over where it belongs', async () => {
  const all = setup({ gateway: { recovery: false } })
  const lost: (() => void)[] = []
  let isLossy = false
  const session = all.open({
    fetch: async (input, init) => {
      const isRun = !(input as string).endsWith('/interrupt')
      const response = await all.fetch(input, isLossy && isRun ? { ...init, signal: null } : init)
      if (!isLossy || !isRun) return response
      // The gateway has handled it; its answer is lost.
      lost.push(() => void response.body?.cancel())
      throw new TypeError('fetch failed')
    },
  })
  await tell(session, all.upstream, 'Once', ' upon', ' ')
  await session.interrupt()
  isLossy = true
  void session.continue()
  const run = await all.upstream.next()
  run.send(' a', ' time')
  await when(session, ({ status }) => status === 'reconnecting')
  await turn()
  isLossy = false
  expect(await session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(all.requests.at(-1)!.body).toEqual({})
  expect(reply(session.getSnapshot())).toMatchObject({ content: 'Once upon a time', state: 'interrupted' })
  for (const leave of lost) leave()
})

test('interrupt: of a reply that this page is behind of, its thinking and tool calls come along', async () => {
  let isDown = false
  const { gateway, all } = downable(() => isDown, 60_000)
  const { session, upstream } = all
  const run = await tell(session, upstream, 'Once')
  isDown = true
  gateway.drop()
  await when(session, ({ status }) => status === 'reconnecting')
  run.send({ thinking: 'hm' }, ' upon', { tool_call: tool })
  await turn()
  isDown = false
  expect(await session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(reply(session.getSnapshot())).toMatchObject({ content: 'Once upon', thinking: 'hm', toolCalls: [tool] })
})
