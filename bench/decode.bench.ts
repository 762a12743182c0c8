// What it costs to decode many streams of one dialect at once, a delta, against `JSON.parse` of lines that are split already.
import { setImmediate } from 'node:timers'
import { ollama, openaiCompatible, type Transport, type UpstreamEvent, type Upstream } from '@midstream/core/upstream'
import { interleave } from './support/cpu.ts'
import { deltaLine, finalLine, token } from './support/ollama-lines.ts'
import { llamaChunks } from './support/openai-chunks.ts'
import { median, ratio, report, short } from './support/report.ts'

const streams = 1_000
const deltas = 200
const rounds = 9
const readSize = 65_536
const utf8 = new TextEncoder()

const replyChars = Array.from({ length: deltas }, (_, n) => token(n)).join('').length
const check = (chars: number): void => {
  if (chars !== streams * replyChars) throw new Error(`read ${chars} characters of ${streams * replyChars}`)
}

/** One body in large reads, as they come where many streams share a busy process. */
function cut(body: string): Uint8Array[] {
  const bytes = utf8.encode(body)
  const reads = Math.ceil(bytes.length / readSize)
  return Array.from({ length: reads }, (_, i) => bytes.subarray(i * readSize, (i + 1) * readSize))
}

function serve(body: string, type: string): Transport {
  const reads = cut(body)
  return (_request, sink) => {
    sink.head({ status: 200, header: (name) => (name === 'content-type' ? type : undefined) })
    let at = 0
    const next = (): void => {
      const read = reads[at++]
      if (!read) return sink.end()
      void sink.data(read)
      // As from sockets: what one read sets off is over before the next stream has one.
      setImmediate(next)
    }
    setImmediate(next)
  }
}

/** All streams at once, in turns, as sockets would have it. */
async function decodeAll(upstream: Upstream): Promise<void> {
  const request = {
    model: 'm',
    messages: [{ role: 'user', content: 'Hi' }],
    interruptedNote: null,
    prefill: '',
  } as const
  const one = (): Promise<number> =>
    new Promise((resolve) => {
      let chars = 0
      const push = (events: readonly UpstreamEvent[]): void => {
        for (const event of events) if ('message' in event) chars += event.message.length
      }
      upstream.open(request, { push, end: () => resolve(chars) }, new AbortController().signal)
    })
  const chars = await Promise.all(Array.from({ length: streams }, one))
  check(chars.reduce((sum, more) => sum + more, 0))
}

function parseAll(lines: readonly string[], textOf: (line: unknown) => string | null | undefined): void {
  let chars = 0
  for (let stream = 0; stream < streams; stream++) {
    for (const line of lines) chars += textOf(JSON.parse(line))?.length ?? 0
  }
  check(chars)
}

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[]
}
interface Line {
  readonly message: { readonly content: string }
}
const sse = (lines: readonly string[]): string => [...lines, '[DONE]'].map((line) => `data: ${line}\n\n`).join('')

function openAi(lines: readonly string[]): Record<string, () => unknown> {
  const transport = serve(sse(lines), 'text/event-stream')
  return {
    '`JSON.parse` of lines that are split already': () =>
      parseAll(lines, (chunk) => (chunk as Chunk).choices[0]?.delta.content),
    '`openaiCompatible({ dialect: "llamacpp" })`, bytes to events': () =>
      decodeAll(openaiCompatible({ model: 'm', dialect: 'llamacpp', transport })),
  }
}

const ollamaLines = [...Array.from({ length: deltas }, (_, n) => deltaLine(n)), finalLine(deltas)]
const nativeOllama: Record<string, () => unknown> = {
  '`JSON.parse` of lines that are split already': () => parseAll(ollamaLines, (line) => (line as Line).message.content),
  '`ollama()`, bytes to events': () =>
    decodeAll(ollama({ model: 'm', transport: serve(ollamaLines.join(''), 'application/x-ndjson') })),
}

async function compare(title: string, works: Record<string, () => unknown>): Promise<void> {
  const samples = await interleave(works, { rounds, warmup: 2 })
  const floor = Object.values(samples)[0]!
  const rows = Object.entries(samples).map(([name, cpu]) => [
    name,
    short(median(cpu) / (streams * deltas)),
    cpu === floor ? '1' : ratio(cpu, floor),
  ])
  const note = `${streams} streams of ${deltas} deltas in reads of ${readSize} bytes, median (range) of ${rounds} rounds.`
  report(title, [['', 'CPU µs a delta', 'ratio'], ...rows], note)
}

await compare('llama.cpp, timings with every chunk', openAi(llamaChunks(deltas, { timings: true })))
await compare('llama.cpp, chunks without timings', openAi(llamaChunks(deltas, { timings: false })))
await compare('Ollama', nativeOllama)
