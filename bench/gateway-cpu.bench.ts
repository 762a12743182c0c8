// CPU of a gateway a token, against a bare byte pipe and against what people write by hand, and the time to the first text.
// Each server is a process of its own, and so are its clients. In each round every server has its turn under the same load:
// two cores bear a thousand streams of one server at a time, and not of three.
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild, type Child } from './support/child.ts'
import { median, quantile, ratio, report, short, spread } from './support/report.ts'

const kinds = ['pipe', 'node', 'web', 'better-sse'] as const
type Kind = (typeof kinds)[number]
const titles: Readonly<Record<Kind, string>> = {
  pipe: 'bare `node:http` byte pipe',
  node: 'gateway, node transport + `toNodeListener`',
  web: 'gateway, fetch transport + web `Response`',
  'better-sse': '`better-sse` fed by `eventsource-parser`',
}

/** Streams at once, tokens a second of each (null: as fast as they are read), and for how long one turn is measured, ms. */
const scenarios = [
  { streams: 1, perSecond: 20, windowMs: 10_000 },
  { streams: 100, perSecond: 20, windowMs: 2_000 },
  { streams: 100, perSecond: 50, windowMs: 2_000 },
  { streams: 1_000, perSecond: 20, windowMs: 3_000 },
] as const
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
/** At full speed. */
const fullStreams = 10
const fullTokens = 20_000

const upstream = await startChild('upstream')
const upstreamUrl = await upstream.call<string>('listen')

interface Front {
  readonly kind: Kind
  readonly front: Child
  readonly load: Child
  readonly url: string
  /** The address below which it asks the model server. */
  readonly place: string
}

async function startFront(kind: Kind, wire: 'ollama' | 'openai'): Promise<Front> {
  const front = await startChild('front', kind)
  const load = await startChild('load')
  const place = `/${kind}-${wire}`
  const url = await front.call<string>('start', kind === 'pipe' ? upstreamUrl : upstreamUrl + place, 'qwen3:32b', wire)
  const path = wire === 'ollama' ? '/api/chat' : '/v1/chat/completions'
  return { kind, front, load, url: url + (kind === 'pipe' ? place + path : '/api/chat'), place }
}

const fronts = await Promise.all(kinds.map((kind) => startFront(kind, 'openai')))
const overOllama = await Promise.all((['pipe', 'node'] as const).map((kind) => startFront(kind, 'ollama')))

const tokensOf = async ({ place }: Front): Promise<number> =>
  (await upstream.call<Record<string, number>>('counts'))[place] ?? 0

/** What one server costs while its streams run: µs a token, and reads of the client a token. */
async function costOf(one: Front, streams: number, windowMs: number): Promise<{ cost: number; reads: number }> {
  for (let opened = 0; opened < streams; opened += 100)
    await one.load.call('open', one.url, Math.min(100, streams - opened))
  await sleep(1_000)
  const read = async (): Promise<[cpu: number, chunks: number, tokens: number]> => [
    await one.front.call<number>('cpu'),
    await one.load.call<number>('chunks'),
    await tokensOf(one),
  ]
  const before = await read()
  await sleep(windowMs)
  const after = await read()
  await one.load.call('closeAll')
  await sleep(300)
  const tokens = after[2] - before[2]
  return { cost: (after[0] - before[0]) / tokens, reads: (after[1] - before[1]) / tokens }
}

/** One server's answers from their start to their end, as fast as they go: µs a token. */
async function fullCost(one: Front): Promise<number> {
  const before = await one.front.call<number>('cpu')
  await one.load.call('readWhole', one.url, fullStreams)
  return ((await one.front.call<number>('cpu')) - before) / (fullStreams * fullTokens)
}

function rowsOf(
  asked: readonly Front[],
  costs: Readonly<Record<string, number[]>>,
  reads?: Record<string, number[]>,
): string[][] {
  return asked.map(({ kind }) => [
    titles[kind],
    spread(costs[kind]!),
    ...(reads ? [short(median(reads[kind]!))] : []),
    kind === 'pipe' ? '1' : ratio(costs[kind]!, costs['pipe']!),
  ])
}

async function paced({ streams, perSecond, windowMs }: (typeof scenarios)[number]): Promise<void> {
  await upstream.call('pace', perSecond)
  const costs: Record<string, number[]> = {}
  const reads: Record<string, number[]> = {}
  for (let round = 0; round < rounds; round++) {
    for (const one of rotated(fronts, round)) {
      const found = await costOf(one, streams, windowMs)
      ;(costs[one.kind] ??= []).push(found.cost)
      ;(reads[one.kind] ??= []).push(found.reads)
    }
  }
  const head = [`${streams} × ${perSecond} tokens/s`, 'CPU µs a token', 'reads a token', 'ratio']
  report('Gateway CPU', [head, ...rowsOf(fronts, costs, reads)], `Median (range) of ${rounds} rounds.`)
}

async function atFullSpeed(name: string, asked: readonly Front[]): Promise<void> {
  await upstream.call('pace', null, fullTokens)
  const costs: Record<string, number[]> = {}
  for (let round = -1; round < rounds; round++) {
    for (const one of rotated(asked, round + 1)) {
      const cost = await fullCost(one)
      if (round >= 0) (costs[one.kind] ??= []).push(cost)
    }
  }
  const head = [`${fullStreams} streams at full speed, ${name}`, 'CPU µs a token', 'ratio']
  report(
    'Gateway CPU',
    [head, ...rowsOf(asked, costs)],
    `Median (range) of ${rounds} rounds of ${fullTokens} tokens a stream.`,
  )
}

/** Milliseconds to the first text, request after request, with so many other streams of the same server open. */
async function firstText(others: number): Promise<void> {
  const rows: string[][] = []
  for (const one of fronts) {
    await upstream.call('pace', 20)
    for (let opened = 0; opened < others; opened += 100) await one.load.call('open', one.url, 100)
    await sleep(500)
    const samples: number[] = []
    for (let n = -30; n < 300; n++) {
      const ms = await one.load.call<number>('firstText', one.url)
      if (n >= 0) samples.push(ms)
    }
    await one.load.call('closeAll')
    await sleep(300)
    rows.push([titles[one.kind], short(median(samples)), short(quantile(samples, 0.99))])
  }
  const head = [`${others} other streams × 20 tokens/s; 300 requests, one at a time`, 'median, ms', 'p99, ms']
  report('Time to first text', [head, ...rows])
}

/** Every server begins with another one's place in the row. */
function rotated<T>(all: readonly T[], round: number): T[] {
  const at = round % all.length
  return [...all.slice(at), ...all.slice(0, at)]
}

/** A server that has run for a while has its code compiled: the first seconds would be the compiler's. */
async function warmUp(): Promise<void> {
  await upstream.call('pace', 100)
  for (const one of [...fronts, ...overOllama]) await costOf(one, 100, 3_000)
}

await warmUp()
for (const scenario of scenarios) await paced(scenario)
await atFullSpeed('OpenAI', fronts)
await atFullSpeed('Ollama', overOllama)
await firstText(0)
await firstText(1_000)
await Promise.all(
  [upstream, ...[...fronts, ...overOllama].flatMap(({ front, load }) => [front, load])].map((c) => c.close()),
)
