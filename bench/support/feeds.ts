// The same reply as our gateway and as the AI SDK's server put it on the wire, read by read, behind a `fetch`.
import { encodeSse } from '@midstream/core'
import { token } from './ollama-lines.ts'

const utf8 = new TextEncoder()
const ids = { session_id: `sess_${'0'.repeat(32)}`, run_id: `run_${'0'.repeat(32)}` }

/** Reads of our wire: a frame each, of so many tokens. */
export function ourReads(tokens: number, perFrame = 1): Uint8Array[] {
  const reads = [
    encodeSse(JSON.stringify({ ...ids, model: 'qwen3:32b', heartbeat_ms: 5_000 })),
    encodeSse(JSON.stringify({ status: 'generating' })),
  ]
  let position = 0
  for (let n = 0; n < tokens; n += perFrame) {
    const count = Math.min(perFrame, tokens - n)
    const message = Array.from({ length: count }, (_, i) => token(n + i)).join('')
    reads.push(encodeSse(JSON.stringify({ message }), (position += message.length)))
  }
  reads.push(encodeSse(JSON.stringify({ done: true, reason: 'stop' })))
  return reads.map((read) => utf8.encode(read))
}

/** Reads of a UI message stream, as `toUIMessageStreamResponse()` sends it: a frame each, of one token. */
export function aiReads(tokens: number): Uint8Array[] {
  const parts: object[] = [
    { type: 'start', messageId: 'msg-1' },
    { type: 'start-step' },
    { type: 'text-start', id: '0' },
    ...Array.from({ length: tokens }, (_, n) => ({ type: 'text-delta', id: '0', delta: token(n) })),
    { type: 'text-end', id: '0' },
    { type: 'finish-step' },
    { type: 'finish' },
  ]
  return [...parts.map((part) => JSON.stringify(part)), '[DONE]'].map((data) => utf8.encode(encodeSse(data)))
}

/** Answers every request with these reads, as fast as they are read or so many ms apart. */
export function feed(reads: readonly Uint8Array[], everyMs = 0): typeof fetch {
  return async () => {
    let next = 0
    const from = performance.now()
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(out) {
          const wait = everyMs && from + next * everyMs - performance.now()
          if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
          const read = reads[next++]
          if (read) out.enqueue(read)
          else out.close()
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, {
      headers: { 'content-type': 'text/event-stream' },
    })
  }
}

export const replyChars = (tokens: number): number =>
  Array.from({ length: tokens }, (_, n) => token(n).length).reduce((sum, chars) => sum + chars, 0)
