// CPU of the client a token, how it grows with the reply, and how often React commits: our store and hook against
// useChat of the AI SDK, each fed the same tokens in its own wire, one frame a read.
import './support/dom.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { Chat, useChat, type UIMessage } from '@ai-sdk/react'
import { createChatClient, useChatStream, type ChatClient } from '@midstream/react'
import { DefaultChatTransport } from 'ai'
import { createElement, Profiler, useEffect, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { cpuNow, interleave } from './support/cpu.ts'
import { aiReads, feed, ourReads, replyChars } from './support/feeds.ts'
import { median, ratio, report, short, spread } from './support/report.ts'

const text = (message: UIMessage | undefined): string =>
  message?.parts.map((part) => (part.type === 'text' ? part.text : '')).join('') ?? ''

/** The documented minimum of a reader: what no client can do without. */
async function readBare(fetch: typeof globalThis.fetch): Promise<string> {
  const response: Response = await fetch('http://chat.test/')
  const reader = response.body!.getReader()
  const utf8 = new TextDecoder()
  let reply = ''
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    const data = utf8.decode(value).split('data: ')[1]!
    reply += (JSON.parse(data) as { message?: string }).message ?? ''
  }
  return reply
}

/** Published after every read, as in a program: a page publishes less often. */
async function readOurs(fetch: typeof globalThis.fetch): Promise<string> {
  const session = createChatClient({ url: 'http://chat.test/', fetch, schedule: queueMicrotask }).session()
  session.subscribe(() => session.getSnapshot())
  await session.send('Hi')
  return session.getSnapshot().messages.at(-1)?.content ?? ''
}

async function readPeer(fetch: typeof globalThis.fetch): Promise<string> {
  const chat = new Chat({ transport: new DefaultChatTransport({ api: 'http://chat.test/', fetch }) })
  chat['~registerMessagesCallback'](() => chat.messages)
  await chat.sendMessage({ text: 'Hi' })
  return text(chat.lastMessage)
}

const works = {
  'floor: read, split on `data: `, `JSON.parse`': { read: readBare, reads: ourReads },
  '@midstream/client session': { read: readOurs, reads: ourReads },
  '@midstream/client session, frames of 5 tokens as its gateway sends them': {
    read: readOurs,
    reads: (tokens: number) => ourReads(tokens, 5),
  },
  'peer: `Chat` of @ai-sdk/react with `DefaultChatTransport`': { read: readPeer, reads: aiReads },
}

async function cpu(): Promise<void> {
  const sizes = [1_000, 10_000, 50_000]
  const cost = Object.fromEntries(Object.keys(works).map((name) => [name, [] as number[][]]))
  for (const tokens of sizes) {
    const chars = replyChars(tokens)
    // A short reply is read more often: the clock of CPU time is not fine.
    const times = Math.max(1, 10_000 / tokens)
    const pieces = Object.entries(works).map(([name, { read, reads }]) => {
      const fetch = feed(reads(tokens))
      const work = async (): Promise<void> => {
        for (let i = 0; i < times; i++) {
          const reply = await read(fetch)
          if (reply.length !== chars) throw new Error(`${name} read ${reply.length} characters of ${chars}`)
        }
      }
      return [name, work] as const
    })
    const samples = await interleave(Object.fromEntries(pieces), { rounds: 3, warmup: tokens === 1_000 ? 2 : 1 })
    for (const [name, us] of Object.entries(samples)) cost[name]!.push(us.map((all) => all / times / tokens))
  }
  const floor = Object.values(cost)[0]!
  const rows = Object.entries(cost).map(([name, bySize]) => {
    const [small, , large] = bySize.map((us) => median(us))
    const growth = 1 + Math.log(large! / small!) / Math.log(50)
    const over = bySize === floor ? '1' : ratio(bySize[2]!, floor[2]!)
    return [name, bySize.map((us) => short(median(us))), short(growth), over].flat()
  })
  const head = ['CPU µs a token', ...sizes.map((tokens) => `${tokens / 1_000}k`), 'growth exponent', 'ratio at 50k']
  report('Client CPU', [head, ...rows], 'Growth exponent: total CPU ~ tokens^e, from 1k to 50k. Median of 3 rounds.')
}

function Ours({ client }: { readonly client: ChatClient }): ReactNode {
  const { messages } = useChatStream({ client })
  return messages.map(({ id, content }) => createElement('p', { key: id }, content))
}
const sendPeer: { current?: () => Promise<void> } = {}
function Peer(options: { readonly transport: DefaultChatTransport<UIMessage>; readonly throttle?: number }): ReactNode {
  const { messages, sendMessage } = useChat(options)
  useEffect(() => void (sendPeer.current = () => sendMessage({ text: 'Hi' })), [sendMessage])
  return messages.map((message) => createElement('p', { key: message.id }, text(message)))
}

/** A paced reply on a page: what React commits, and the CPU of everything, the window's too. */
async function page(tokensPerSecond: number): Promise<void> {
  const tokens = tokensPerSecond * 2
  const everyMs = 1_000 / tokensPerSecond
  const peer = (options: { readonly throttle?: number }): readonly [ReactNode, () => Promise<unknown>] => {
    const transport = new DefaultChatTransport({ fetch: feed(aiReads(tokens), everyMs) })
    return [createElement(Peer, { transport, ...options }), () => sendPeer.current!()]
  }
  const ours = (fetch: typeof globalThis.fetch): readonly [ReactNode, () => Promise<unknown>] => {
    const client = createChatClient({ url: 'http://chat.test/', fetch })
    return [createElement(Ours, { client }), () => client.session().send('Hi')]
  }
  const pages: Record<string, () => readonly [ReactNode, () => Promise<unknown>]> = {
    '`useChatStream`, frames of 100 ms as its gateway sends them': () =>
      ours(feed(ourReads(tokens, tokensPerSecond / 10), 100)),
    '`useChatStream`, a frame a token': () => ours(feed(ourReads(tokens), everyMs)),
    'peer: `useChat`, a frame a token': () => peer({}),
    'peer: `useChat({ throttle: 100 })`': () => peer({ throttle: 100 }),
  }
  const commits = new Map<string, number[]>()
  const cost = new Map<string, number[]>()
  for (let round = 0; round < 3; round++) {
    for (const [name, make] of Object.entries(pages)) {
      const [element, send] = make()
      const root = createRoot(document.createElement('div'))
      let count = 0
      root.render(createElement(Profiler, { id: name, onRender: () => (count += 1) }, element))
      await sleep(50)
      const [from, before] = [performance.now(), cpuNow()]
      count = 0
      await send()
      const seconds = (performance.now() - from) / 1_000
      commits.set(name, [...(commits.get(name) ?? []), count / seconds])
      cost.set(name, [...(cost.get(name) ?? []), (cpuNow() - before) / tokens])
      root.unmount()
    }
  }
  const base = cost.get('peer: `useChat`, a frame a token')!
  const rows = [...commits].map(([name, rate]) => [
    name,
    spread(rate),
    spread(cost.get(name)!),
    cost.get(name) === base ? '1' : ratio(cost.get(name)!, base),
  ])
  const head = [`${tokensPerSecond} tokens/s for 2 s`, 'commits a second', 'CPU µs a token, with React', 'ratio of CPU']
  report('React commits, at 60 Hz', [head, ...rows], 'React and happy-dom are in it, and the paced feed itself.')
}

await cpu()
await page(100)
process.exit()
