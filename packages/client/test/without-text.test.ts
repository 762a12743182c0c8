import { createGateway, type Gateway } from '@midstream/core/gateway'
import { gatewayFetch, type ScriptedReply } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import type { ChatSession } from '../src/chat-session.ts'
import type { ChatClientOptions } from '../src/options.ts'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import { bus, key, memory, setup, transcript, turn, type Setup } from './support.ts'

/** What a model says before its first word: models that reason, and apps that send their sources first. */
const beginnings: Readonly<Record<string, Parameters<ScriptedReply['send']>>> = {
  thinking: [{ thinking: 'Hm' }],
  sources: [{ data: { type: 'sources', list: [1] } }],
  'sources and thinking': [{ data: { type: 'sources' } }, { thinking: 'Hm' }],
  text: ['Once'],
  nothing: [],
}
const call = { id: 'call_1', name: 'look', arguments: {} }

interface Mortal extends Setup {
  /** The gateway dies without a word, and another one takes its place. */
  die(): Promise<void>
  /** Lets time pass, a bit at a time. */
  wait(ms: number): Promise<void>
  /** The model says the rest of its last reply. */
  finish(text: string): Promise<void>
}

function mortal(): Mortal {
  const cuts = new Set<() => void>()
  let gateway: Gateway | undefined
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (!gateway) throw new TypeError('fetch failed')
    const { body, status, headers } = await gatewayFetch(gateway)(input, init)
    if (!body) return new Response(null, { status, headers })
    const cut = new AbortController()
    cuts.add(() => cut.abort(new TypeError('terminated')))
    const through = new TransformStream<Uint8Array, Uint8Array>()
    void body.pipeTo(through.writable, { signal: cut.signal }).catch(() => undefined)
    return new Response(through.readable, { status, headers })
  }
  const all = setup({ fetch })
  const begin = (): void => {
    gateway = createGateway({ upstream: all.upstream, clock: all.clock, coalesce: { windowMs: 0 } })
  }
  const wait = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 250) {
      all.clock.advance(250)
      // oxlint-disable-next-line no-await-in-loop -- one step after the other
      for (let n = 0; n < 3; n++) await turn()
    }
  }
  begin()
  return {
    ...all,
    wait,
    async die() {
      gateway = undefined
      for (const cut of cuts) cut()
      cuts.clear()
      await turn()
      all.clock.advance(100)
      await turn()
      begin()
    },
    async finish(text) {
      const reply = all.upstream.replies.at(-1)!
      reply.send(text)
      reply.finish()
      await wait(500)
    },
  }
}

/** Says something; the model begins its answer. */
async function begun(m: Mortal, session: ChatSession, said: Parameters<ScriptedReply['send']>): Promise<void> {
  void session.send('Tell me')
  const run = await m.upstream.next()
  if (said.length > 0) run.send(...said)
  await m.wait(750)
}

const kinds = Object.entries(beginnings)
const withTabs = kinds.flatMap(([kind, said]) =>
  [true, false].map((isKept) => [kind, isKept ? 'and a storage' : 'without a storage', said, isKept] as const),
)
test.for(withTabs)(
  'without text: a gateway that dies when %s has come is asked once more, and both tabs %s show the answer',
  async ([, , said, isKept]) => {
    const m = mortal()
    const channel = bus()
    const storage = memory()
    const extensions = [...(isKept ? [persist(storage)] : []), tabs(channel.open)]
    const [a, b] = [m.open({ extensions }), m.open({ extensions })]
    await turn()
    await begun(m, a, said)
    await m.die()
    await m.wait(10_000)
    await m.finish(' upon a time')
    for (const session of [a, b]) {
      expect(transcript(session.getSnapshot())).toEqual(['> Tell me', expect.stringMatching(/ upon a time \(done\)$/)])
      expect(session.getSnapshot().error).toBe(null)
    }
    expect(m.upstream.replies).toHaveLength(2)
    if (isKept) expect(storage.items.get(key)).toContain(' upon a time')
  },
)

/** A page is left when this much has come, and opened again when its gateway does not know the run any more. */
async function reloaded(
  said: Parameters<ScriptedReply['send']>,
  how: 'restarted' | 'forgot',
  options: Partial<ChatClientOptions> = {},
): Promise<Mortal & { readonly page: ChatSession }> {
  const m = mortal()
  const stored = memory()
  const left = m.open({ extensions: [persist(stored)] })
  await turn()
  await begun(m, left, said)
  const kept = memory()
  for (const [name, value] of stored.items) kept.items.set(name, value)
  left.close()
  if (how === 'restarted') await m.die()
  else {
    await m.finish('What nobody read')
    await m.wait(400_000)
  }
  const page = m.open({ extensions: [persist(kept)], ...options })
  await m.wait(5_000)
  return { ...m, page }
}

test.for(kinds.flatMap(([kind, said]) => (['restarted', 'forgot'] as const).map((how) => [kind, how, said] as const)))(
  'without text: a page that is opened again when %s had come goes on by itself, though the gateway %s the run',
  async ([, how, said]) => {
    const m = await reloaded(said, how)
    await m.finish(' upon a time')
    expect(transcript(m.page.getSnapshot())).toEqual(['> Tell me', expect.stringMatching(/ upon a time \(done\)$/)])
    expect(m.page.getSnapshot().error).toBe(null)
    expect(m.upstream.replies).toHaveLength(2)
  },
)

test.for(['restarted', 'forgot'] as const)(
  'without text: after a tool call nothing goes on by itself, when the gateway %s the run',
  async (how) => {
    const { page, upstream } = await reloaded([{ thinking: 'Hm' }, { tool_call: call }], how)
    expect(page.getSnapshot().messages.at(-1)).toMatchObject({ toolCalls: [call], state: 'dropped' })
    expect(page.getSnapshot().status).toBe('error')
    expect(upstream.replies).toHaveLength(1)
  },
)

test('without text: with autoContinue: false a page that is opened again says that the reply was dropped', async () => {
  const { page, upstream } = await reloaded(beginnings['thinking']!, 'restarted', { autoContinue: false })
  expect(page.getSnapshot().messages.at(-1)).toMatchObject({ content: '', state: 'dropped' })
  expect(upstream.replies).toHaveLength(1)
  void page.continue()
  await upstream.next()
  expect(upstream.replies).toHaveLength(2)
})
