// What it costs to turn a model server's bytes into deltas, and a gateway's bytes into events, a delta.
import { eventsOf } from '@midstream/core/upstream'
import { createLineDecoder, createSseDecoder, encodeSse, parseLine } from '@midstream/core'
import { fetchTransport, ollama, type Transport } from '@midstream/core/upstream'
import { createParser } from 'eventsource-parser'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { Ollama } from 'ollama'
import { interleave } from './support/cpu.ts'
import { deltaLine, finalLine, token } from './support/ollama-lines.ts'
import { median, ratio, report, short } from './support/report.ts'

const deltas = 50_000
const rounds = 9
const utf8 = new TextEncoder()

/** Cuts bytes into reads of a size. */
function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}
const bodyOf = (reads: readonly Uint8Array[]): ReadableStream<Uint8Array<ArrayBuffer>> => {
  let next = 0
  return new ReadableStream(
    {
      pull(out) {
        const read = reads[next++]
        if (read) out.enqueue(read as Uint8Array<ArrayBuffer>)
        else out.close()
      },
    },
    { highWaterMark: 0 },
  )
}
const serve =
  (reads: readonly Uint8Array[]): typeof fetch =>
  async () =>
    new Response(bodyOf(reads), { headers: { 'content-type': 'application/x-ndjson' } })

const check = (chars: number): void => {
  if (chars !== replyChars) throw new Error(`read ${chars} characters of ${replyChars}`)
}
const tokens = Array.from({ length: deltas }, (_, n) => token(n))
const replyChars = tokens.join('').length
const lines = [...tokens.map((_, n) => deltaLine(n)), finalLine(deltas)]

async function ask(transport: Transport): Promise<void> {
  const upstream = ollama({ model: 'qwen3:32b', transport })
  const messages = [{ role: 'user', content: 'Hi' }] as const
  const request = { model: 'qwen3:32b', messages, interruptedNote: null, prefill: '' }
  let chars = 0
  for await (const events of eventsOf(upstream, request, new AbortController().signal)) {
    for (const event of events) if ('message' in event) chars += event.message.length
  }
  check(chars)
}

const ndjson = (reads: readonly Uint8Array[]): Record<string, () => unknown> => ({
  '`JSON.parse` of lines that are split already': () => {
    let chars = 0
    for (const line of lines) chars += (JSON.parse(line) as { message: { content: string } }).message.content.length
    check(chars)
  },
  '`createLineDecoder` + `parseLine`': () => {
    const decoder = createLineDecoder()
    let chars = 0
    for (const read of reads) {
      for (const line of decoder.push(read)) {
        const parsed = parseLine(line)
        if ('value' in parsed) chars += (parsed.value as { message: { content: string } }).message.content.length
      }
    }
    check(chars)
  },
  '`ollama()`, bytes to events': () =>
    ask((_request, sink) => {
      sink.head({ status: 200, header: () => undefined })
      for (const read of reads) void sink.data(read)
      sink.end()
    }),
  '`ollama()` through `fetchTransport`': () => ask(fetchTransport({ fetch: serve(reads) })),
  'peer: `ollama` npm client, `chat({ stream: true })`': async () => {
    const client = new Ollama({ fetch: serve(reads) })
    let chars = 0
    for await (const { message } of await client.chat({ model: 'qwen3:32b', messages: [], stream: true })) {
      chars += message.content.length
    }
    check(chars)
  },
})

const datas = tokens.map((message) => JSON.stringify({ message }))
const sse = (reads: readonly Uint8Array[]): Record<string, () => unknown> => ({
  '`JSON.parse` of data that is split already': () => {
    let chars = 0
    for (const data of datas) chars += (JSON.parse(data) as { message: string }).message.length
    check(chars)
  },
  '`createSseDecoder` + `JSON.parse`': () => {
    const decoder = createSseDecoder()
    let chars = 0
    for (const read of reads) {
      for (const { data } of decoder.push(read)) chars += (JSON.parse(data) as { message: string }).message.length
    }
    check(chars)
  },
  'peer: bare `eventsource-parser` + `JSON.parse`': () => {
    const decoder = new TextDecoder()
    let chars = 0
    const parser = createParser({
      onEvent: ({ data }) => (chars += (JSON.parse(data) as { message: string }).message.length),
    })
    for (const read of reads) parser.feed(decoder.decode(read, { stream: true }))
    check(chars)
  },
  'peer: `TextDecoderStream` + `EventSourceParserStream` + `JSON.parse`, as the AI SDK reads': async () => {
    const frames = bodyOf(reads).pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
    let chars = 0
    for await (const { data } of frames) chars += (JSON.parse(data) as { message: string }).message.length
    check(chars)
  },
})

async function compare(title: string, works: Record<string, () => unknown>): Promise<void> {
  const samples = await interleave(works, { rounds, warmup: 3 })
  const floor = Object.values(samples)[0]!
  const rows = Object.entries(samples).map(([name, cpu]) => [
    name,
    short(median(cpu) / deltas),
    cpu === floor ? '1' : ratio(cpu, floor),
  ])
  report(title, [['', 'CPU µs a delta', 'ratio'], ...rows], `${deltas} deltas, median (range) of ${rounds} rounds.`)
}

const ndjsonBytes = utf8.encode(lines.join(''))
await compare('NDJSON, reads of 64 KiB', ndjson(cut(ndjsonBytes, 65_536)))
await compare('NDJSON, one line a read', ndjson(lines.map((line) => utf8.encode(line))))
let position = 0
const frames = datas.map((data, n) => encodeSse(data, (position += tokens[n]!.length)))
await compare('SSE, reads of 64 KiB', sse(cut(utf8.encode(frames.join('')), 65_536)))
await compare('SSE, one frame a read', sse(frames.map((frame) => utf8.encode(frame))))
