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
await Promise.all([upstream, load, ...fronts.map(({ front }) => front)].map((child) => child.close()))
