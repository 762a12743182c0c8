import { openaiCompatible, type DialectName, type Transport, type Upstream } from '@midstream/core/upstream'
import { afterEach, expect, test } from 'vitest'
import type { ChatSession } from '../src/chat-session.ts'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import { bus, isIdle, memory, reply, setup, shows, turn, when, type Setup, type SetupOptions } from './support.ts'

// What a server attaches to its reply, and wants back: from the reply through the client's message to the next request.

const signature = { google: { thought_signature: 'CvcQAdHtim9' } }
const url = 'https://models.test/v1'

interface Message {
  readonly role: string
  readonly content: string
  readonly reasoning_content?: string
  readonly tool_calls?: readonly { readonly extra_content?: unknown; readonly function: Record<string, unknown> }[]
}
interface Server {
  readonly upstream: Upstream
  /** The messages of every request. */
  readonly asked: Message[][]
}

const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const call = {
  index: 0,
  id: 'c1',
  extra_content: signature,
  function: { name: 'weather', arguments: '{"city":"Oslo"}' },
}
/** Calls a tool first, and answers whatever else it is asked. */
const called = [
  chunk({ reasoning_content: 'I have to look.' }),
  chunk({ content: 'Let me see. ', tool_calls: [call] }),
  chunk({}, 'tool_calls'),
]
const answered = [chunk({ content: 'It is ' }), chunk({ content: '12 degrees.' }), chunk({}, 'stop')]

function server(dialect: DialectName = 'openai', answers: readonly (readonly string[])[] = [called]): Server {
  const asked: Message[][] = []
  const transport: Transport = ({ body = '{}' }, sink) => {
    asked.push((JSON.parse(body) as { messages: Message[] }).messages)
    sink.head({ status: 200, header: (name) => (name === 'content-type' ? 'text/event-stream' : undefined) })
    for (const frame of answers[asked.length - 1] ?? answered) void sink.data(new TextEncoder().encode(frame))
    sink.end()
  }
  return { asked, upstream: openaiCompatible({ url, model: 'm', dialect, transport }) }
}
const opened: ChatSession[] = []
afterEach(() => {
  for (const session of opened.splice(0)) session.close()
})
function page({ upstream }: Server, options: SetupOptions = {}): Setup {
  const all = setup({ ...options, gateway: { upstream } })
  opened.push(all.session)
  return all
}
const isCalled = (session: ChatSession): Promise<unknown> =>
  when(session, (snapshot) => isIdle(snapshot) && reply(snapshot)?.toolCalls !== undefined)
const signatureOf = (messages: readonly Message[] | undefined): unknown =>
  messages?.find(({ tool_calls: calls }) => calls)?.tool_calls?.[0]?.extra_content
const thinkingOf = (messages: readonly Message[] | undefined): unknown =>
  messages?.find(({ tool_calls: calls }) => calls)?.reasoning_content

test('opaque: what Gemini attaches to a call goes back with it in every later request, as it came', async () => {
  const bed = server()
  const { session } = page(bed)
  await session.send('How warm is it?')
  await session.send('And now?')
  await session.send('And then?')
  expect(bed.asked.slice(1).map(signatureOf)).toEqual([signature, signature])
})

test('opaque: it survives a reload of a chat that is stored', async () => {
  const bed = server()
  const storage = memory()
  const all = page(bed, { extensions: [persist(storage)] })
  await turn()
  await all.session.send('How warm is it?')
  const reloaded = all.open({ extensions: [persist(storage)] })
  opened.push(reloaded)
  await isCalled(reloaded)
  await reloaded.send('And now?')
  expect(signatureOf(bed.asked[1])).toEqual(signature)
})

test('opaque: a tab that only heard of the reply sends it, too', async () => {
  const bed = server()
  const channel = bus()
  const all = page(bed, { extensions: [tabs(channel.open)] })
  const other = all.open({ extensions: [tabs(channel.open)] })
  opened.push(other)
  await turn()
  await all.session.send('How warm is it?')
  await isCalled(other)
  await other.send('And now?')
  expect(signatureOf(bed.asked[1])).toEqual(signature)
})

test('opaque: a reply that is continued is asked for with the call of the turn before it', async () => {
  const cut = [chunk({ content: 'It is ' }, 'length')]
  const bed = server('openai', [called, cut])
  const { session } = page(bed)
  await session.send('How warm is it?')
  await session.send('And now?')
  await session.continue()
  await when(session, isIdle)
  expect(bed.asked.slice(1).map(signatureOf)).toEqual(bed.asked.slice(1).map(() => signature))
  expect(bed.asked.length).toBe(3)
})

test('opaque: a reply that is joined from its position, after its page was reloaded, has it', async () => {
  const bed = server()
  const storage = memory()
  const all = page(bed, { extensions: [persist(storage)] })
  await turn()
  // The page is gone before it has read anything.
  const lost = all.open({
    extensions: [persist(storage)],
    fetch: async (input, init) => {
      await all.fetch(input, init)
      return new Promise(() => undefined)
    },
  })
  opened.push(lost)
  void lost.send('How warm is it?')
  await turn()
  const reloaded = all.open({ extensions: [persist(storage)] })
  opened.push(reloaded)
  await isCalled(reloaded)
  await reloaded.send('And now?')
  expect(signatureOf(bed.asked[1])).toEqual(signature)
})

test('opaque: it goes to the server that gave it, and to no other', async () => {
  const bed = server()
  const all = page(bed)
  await all.session.send('How warm is it?')
  const { toolCalls } = reply(all.session.getSnapshot())
  expect(toolCalls?.[0]?.opaque).toMatchObject({ call: { extra_content: signature } })
  const asked: Message[][] = []
  const transport: Transport = ({ body = '{}' }, sink) => {
    asked.push((JSON.parse(body) as { messages: Message[] }).messages)
    sink.head({ status: 200, header: () => undefined })
    for (const frame of answered) void sink.data(new TextEncoder().encode(frame))
    sink.end()
  }
  const elsewhere = openaiCompatible({ url: 'https://others.test/v1', model: 'm', transport })
  elsewhere.open(
    {
      model: 'm',
      messages: [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: '', tool_calls: toolCalls ?? [] },
      ],
      prefill: '',
      interruptedNote: null,
    },
    { push: () => undefined, end: () => undefined },
    new AbortController().signal,
  )
  expect(asked).toHaveLength(1)
  expect(signatureOf(asked[0])).toBeUndefined()
})

test.for<[string, (all: Setup, storage: ReturnType<typeof memory>) => Promise<ChatSession>]>([
  ['the same page', async ({ session }) => session],
  ['a reloaded page', async ({ open }, storage) => open({ extensions: [persist(storage)] })],
])('opaque: thinking that was before a call goes back in the next request, from %s', async ([, next]) => {
  // DeepSeek's dialect knows that it wants it; others say so (Kimi).
  const bed = server('deepseek')
  const storage = memory()
  const all = page(bed, { extensions: [persist(storage)] })
  await turn()
  await all.session.send('How warm is it?')
  const session = await next(all, storage)
  opened.push(session)
  await isCalled(session)
  await session.send('And now?')
  expect(thinkingOf(bed.asked[1])).toBe('I have to look.')
})

test('opaque: thinking that a server asks for in its refusal (Kimi) is in the next attempt, and from then on', async () => {
  const asked: Message[][] = []
  const transport: Transport = ({ body = '{}' }, sink) => {
    const { messages } = JSON.parse(body) as { messages: Message[] }
    asked.push(messages)
    const isRefused = messages.some(({ tool_calls: calls, reasoning_content: said }) => calls && said === undefined)
    const message = 'thinking is enabled but reasoning_content is missing in assistant tool call message at index 1'
    sink.head({ status: isRefused ? 400 : 200, header: () => undefined })
    const frames = isRefused ? [JSON.stringify({ error: { message } })] : asked.length === 1 ? called : answered
    for (const frame of frames) void sink.data(new TextEncoder().encode(frame))
    sink.end()
  }
  const { session } = page({ asked, upstream: openaiCompatible({ url, model: 'm', transport }) })
  await session.send('How warm is it?')
  await session.send('And now?')
  await when(session, shows('It is 12 degrees.'))
  await session.send('And then?')
  expect(asked.map(thinkingOf)).toEqual([undefined, undefined, 'I have to look.', 'I have to look.'])
})
