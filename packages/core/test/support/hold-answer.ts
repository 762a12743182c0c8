import { answerOf, pushing } from './answers.ts'
import { nodeTransport } from '../../src/node/index.ts'
import type { Transport } from '../../src/upstream/index.ts'

/** A transport whose first answer stands still behind a certain delta, however fast its server is. */
export interface HeldAnswer {
  readonly transport: Transport
  /** Settles when all that came before is read, and the reader asks for more. */
  readonly holding: Promise<void>
  /** What the server has sent since is lost, as on a network; then the answer ends as its socket does. */
  lose(): void
}

/** @param deltas - How many of the server's pieces of text come through. */
export function holdAnswer(deltas: number): HeldAnswer {
  const send = nodeTransport()
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  let isFirst = true

  async function* hold(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const utf8 = new TextDecoder()
    let pending = ''
    let seen = 0
    for await (const bytes of body) {
      if (seen === deltas) continue
      const frames = (pending + utf8.decode(bytes, { stream: true })).split(/(?<=\n\n)/)
      pending = frames.at(-1)?.endsWith('\n\n') ? '' : (frames.pop() ?? '')
      for (const frame of frames) {
        yield new TextEncoder().encode(frame)
        if (/"content":"[^"]/.test(frame)) seen += 1
        if (seen < deltas) continue
        held.resolve()
        signal.addEventListener('abort', () => released.resolve())
        if (signal.aborted) released.resolve()
        await released.promise
        break
      }
    }
  }
  return {
    holding: held.promise,
    lose: released.resolve,
    transport: pushing(async (request) => {
      const hasToHold = isFirst
      isFirst = false
      const answer = await answerOf(send, request)
      return hasToHold ? { ...answer, body: hold(answer.body, request.signal) } : answer
    }),
  }
}
