// Bytes that an open stream takes which has begun and now is silent: what lives in the heap and outside of it after a
// garbage collection, with 1 000 streams open, less the same with none.
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from './support/child.ts'
import { median, ratio, report, short, spread } from './support/report.ts'

const streams = 1_000
const rounds = 2
const kinds = ['pipe', 'node', 'web'] as const
const titles = {
  pipe: 'bare `node:http` byte pipe',
  node: 'gateway, node transport + `toNodeListener`',
  web: 'gateway, fetch transport + web `Response`',
}

const upstream = await startChild('upstream')
const upstreamUrl = await upstream.call<string>('listen')
await upstream.call('pace', 0)
const load = await startChild('load')
const fronts = await Promise.all(
  kinds.map(async (kind) => {
    const front = await startChild('front', kind)
    return { kind, front, url: `${await front.call<string>('start', upstreamUrl)}/api/chat` }
  }),
)

type Memory = { readonly live: number; readonly rss: number }
const live: Record<string, number[]> = { pipe: [], node: [], web: [] }
const rss: Record<string, number[]> = { pipe: [], node: [], web: [] }
for (let round = -1; round < rounds; round++) {
  for (const { kind, front, url } of fronts) {
    const before = await front.call<Memory>('memory')
    for (let i = 0; i < streams; i += 100) await load.call('open', url, 100)
    await sleep(300)
    const after = await front.call<Memory>('memory')
    await load.call('closeAll')
    await sleep(300)
    if (round < 0) continue
    live[kind]!.push((after.live - before.live) / streams / 1_000)
    rss[kind]!.push((after.rss - before.rss) / streams / 1_000)
  }
}
const rows = kinds.map((kind) => [
  titles[kind],
  spread(live[kind]!),
  short(median(rss[kind]!)),
  kind === 'pipe' ? '1' : ratio(live[kind]!, live['pipe']!),
])
const head = [`${streams} idle streams`, 'live, kB a stream', 'rss, kB a stream', 'ratio of live']
report(
  'Memory',
  [head, ...rows],
  `Median (range) of ${rounds} rounds after a warm-up; rss says little after the first one.`,
)

// The same while they stream: each server in a process of its own, whose memory has not grown before.
const liveKinds = ['pipe', 'node', 'better-sse'] as const
const liveTitles = { pipe: titles.pipe, node: titles.node, 'better-sse': '`better-sse` fed by `eventsource-parser`' }
await upstream.call('pace', 20)
const heap: Record<string, number[]> = { pipe: [], node: [], 'better-sse': [] }
const grown: Record<string, number[]> = { pipe: [], node: [], 'better-sse': [] }
for (let round = 0; round < 3; round++) {
  for (const kind of liveKinds) {
    const front = await startChild('front', kind)
    const url = await front.call<string>('start', upstreamUrl, 'qwen3:32b', 'openai')
    const path = kind === 'pipe' ? '/v1/chat/completions' : '/api/chat'
    const before = await front.call<Memory>('memory')
    for (let i = 0; i < streams; i += 100) await load.call('open', url + path, 100)
    await sleep(5_000)
    const { rss: used } = await front.call<Memory>('rss')
    const after = await front.call<Memory>('memory')
    await load.call('closeAll')
    await front.close()
    heap[kind]!.push((after.live - before.live) / streams / 1_000)
    grown[kind]!.push((used - before.rss) / streams / 1_000)
  }
}
const liveRows = liveKinds.map((kind) => [
  liveTitles[kind],
  spread(grown[kind]!),
  short(median(heap[kind]!)),
  kind === 'pipe' ? '1' : ratio(grown[kind]!, grown['pipe']!),
])
const liveHead = [
  `${streams} streams of 20 tokens/s, after 5 s`,
  'rss, kB a stream',
  'live, kB a stream',
  'ratio of rss',
]
report('Memory', [liveHead, ...liveRows], 'Median (range) of 3 fresh processes each.')
await Promise.all([upstream, load, ...fronts.map(({ front }) => front)].map((child) => child.close()))
