// CPU of a gateway per 1 000 tokens, against a bare byte pipe, and the time it adds to the first token. All servers are
// loaded in the same seconds, each in a process of its own, so what else the machine does meets them alike.
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild, type Child } from './support/child.ts'
import { median, quantile, ratio, report, short, spread } from './support/report.ts'

const streams = 100
const windows = 5
const windowMs = 2_000
const kinds = ['pipe', 'node', 'web'] as const
const titles = {
  pipe: 'bare `node:http` byte pipe',
  node: 'gateway, node transport + `toNodeListener`',
  web: 'gateway, fetch transport + web `Response`',
}

const upstream = await startChild('upstream')
const upstreamUrl = await upstream.call<string>('listen')
const fronts = await Promise.all(
  kinds.map(async (kind) => {
    const front = await startChild('front', kind)
    const load = await startChild('load')
    // Below an address of its own, for the counts.
    const url = await front.call<string>('start', kind === 'pipe' ? upstreamUrl : `${upstreamUrl}/${kind}`)
    const path = kind === 'pipe' ? '/pipe/api/chat' : '/api/chat'
    return { kind, front, load, url: url + path, place: `/${kind}` }
  }),
)

/** Milliseconds to the first text, request after request. */
async function firstText(): Promise<void> {
  const load: Child = fronts[0]!.load
  const urls = { direct: `${upstreamUrl}/api/chat`, ...Object.fromEntries(fronts.map(({ kind, url }) => [kind, url])) }
  const samples: Record<string, number[]> = {}
  await upstream.call('pace', 1_000, 1)
  for (let round = -30; round < 200; round++) {
    for (const [name, url] of Object.entries(urls)) {
      const ms = await load.call<number>('firstText', url)
      if (round >= 0) (samples[name] ??= []).push(ms)
    }
  }
  const direct = median(samples['direct']!)
  const rows = Object.entries(samples).map(([name, ms]) => [
    name === 'direct' ? 'no proxy' : titles[name as keyof typeof titles],
    short(median(ms)),
    short(quantile(ms, 0.95)),
    name === 'direct' ? '' : short(median(ms) - direct),
  ])
  const head = ['200 requests each, one at a time', 'median, ms', 'p95, ms', 'added, ms']
  report('Time to first text', [head, ...rows])
}

/** A server that has run for a while has its code compiled: the first seconds would be the compiler's. */
async function warmUp(): Promise<void> {
  await upstream.call('pace', 50)
  await Promise.all(fronts.map(({ load, url }) => load.call('open', url, streams)))
  await sleep(6_000)
  await Promise.all(fronts.map(({ load }) => load.call('closeAll')))
  await sleep(500)
}

async function cpu(tokensPerSecond: number): Promise<void> {
  await upstream.call('pace', tokensPerSecond)
  await Promise.all(fronts.map(({ load, url }) => load.call('open', url, streams)))
  await sleep(1_500)
  const read = async (): Promise<{ cpu: number; tokens: number; chunks: number }[]> => {
    const counts = await upstream.call<Record<string, number>>('counts')
    return Promise.all(
      fronts.map(async ({ front, load, place }) => ({
        cpu: await front.call<number>('cpu'),
        chunks: await load.call<number>('chunks'),
        tokens: counts[place]!,
      })),
    )
  }
  const cost = fronts.map(() => [] as number[])
  const reads = fronts.map(() => [] as number[])
  for (let before = await read(), window = 0; window < windows; window++) {
    await sleep(windowMs)
    const after = await read()
    after.forEach((now, i) => {
      const tokens = now.tokens - before[i]!.tokens
      // µs a token is ms per 1 000 tokens.
      cost[i]!.push((now.cpu - before[i]!.cpu) / tokens)
      reads[i]!.push((now.chunks - before[i]!.chunks) / tokens)
    })
    before = after
  }
  await Promise.all(fronts.map(({ load }) => load.call('closeAll')))
  await sleep(500)
  const rows = fronts.map(({ kind }, i) => [
    titles[kind],
    spread(cost[i]!),
    short(median(reads[i]!)),
    kind === 'pipe' ? '1' : ratio(cost[i]!, cost[0]!),
  ])
  const head = [`${streams} streams, ${tokensPerSecond} tokens/s`, 'CPU ms per 1 000 tokens', 'reads a token', 'ratio']
  report('Gateway CPU', [head, ...rows], `Median (range) of ${windows} windows of ${windowMs / 1_000} s.`)
}

await firstText()
await warmUp()
await cpu(20)
await cpu(50)
await Promise.all([upstream, ...fronts.flatMap(({ front, load }) => [front, load])].map((child) => child.close()))
