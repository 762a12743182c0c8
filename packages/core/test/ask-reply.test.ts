import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/manual-clock.ts'
import type { Transport, TransportSink } from '../src/upstream/http/transport.ts'
import { openaiCompatible } from '../src/upstream/openai/openai.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { utf8 } from './support/bytes.ts'

const prefill = 'Once upon a time there was a fox'

test.for<[how: string, end: (sink: TransportSink) => void]>([
  ['its connection breaks', (sink) => sink.error(new Error('reset'))],
  ['its body ends without a finish', (sink) => sink.end()],
  ['its server says that it failed', (sink) => void sink.data(utf8('data: {"error":{"message":"no"}}\n\n'))],
])('askReply: text that may still be a copy of the partial is given all the same when %s', ([, end]) => {
  const copy = prefill.slice(-20, -2)
  const transport: Transport = (_request, sink) => {
    sink.head({ status: 200, header: () => 'text/event-stream' })
    void sink.data(utf8(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: copy } }] })}\n\n`))
    end(sink)
  }
  const upstream = openaiCompatible({ model: 'm', transport, clock: manualClock() })
  const events: UpstreamEvent[] = []
  upstream.open(
    { model: 'm', messages: [{ role: 'user', content: 'A story' }], prefill, interruptedNote: null },
    { push: (batch) => void events.push(...batch), end: () => undefined },
    new AbortController().signal,
  )
  const said = events.map((event) => ('message' in event ? event.message : '')).join('')
  expect(said.trim()).toBe(copy.trim())
})
