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

interface Told {
  readonly text: string
  readonly finish: unknown
  readonly error: unknown
}
const stream = 'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
const whole = '{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'

/** One answer of a server of OpenAI's kind. */
function told(status: number, body: string, type?: string): Told {
  const transport: Transport = (_request, sink) => {
    sink.head({ status, header: (name) => (name === 'content-type' ? type : undefined) })
    if (body !== '') void sink.data(utf8(body))
    sink.end()
  }
  const events: UpstreamEvent[] = []
  let error: unknown
  openaiCompatible({ model: 'm', transport, clock: manualClock() }).open(
    { model: 'm', messages: [{ role: 'user', content: 'Hello' }], prefill: '', interruptedNote: null },
    { push: (batch) => void events.push(...batch), end: (why) => void (error = why) },
    new AbortController().signal,
  )
  return {
    text: events.map((event) => ('message' in event ? event.message : '')).join(''),
    finish: events.find((event) => 'finish' in event),
    error: events.flatMap((event) => ('error' in event ? [event.error] : []))[0] ?? error,
  }
}

test.for([200, 201, 202, 203, 206, 207, 226, 299])(
  'askReply: the status %i with a reply is a reply, as a stream and as one piece of JSON',
  (status) => {
    for (const answer of [
      told(status, stream, 'text/event-stream'),
      told(status, stream),
      told(status, whole, 'application/json'),
    ])
      expect(answer).toEqual({ text: 'Hi', finish: { finish: 'stop' }, error: undefined })
  },
)

test.for([200, 201, 202, 206])('askReply: the status %i with something else is no reply', (status) => {
  expect(told(status, '<html>Hi</html>', 'text/html').error).toMatchObject({ code: 'upstream_malformed' })
  expect(told(status, '{"id":"job-7","state":"queued"}', 'application/json').error).toMatchObject({
    code: 'upstream_malformed',
  })
  expect(told(status, '{"error":{"message":"The server is busy"}}', 'application/json').error).toMatchObject({
    code: 'upstream_busy',
  })
})

test.for([204, 205])('askReply: the status %i has no body, and the error says so', (status) => {
  const message = `The model server answered without a body (HTTP ${status}).`
  for (const body of ['', stream])
    expect(told(status, body, 'text/event-stream')).toMatchObject({
      text: '',
      error: { code: 'upstream_malformed', message, retryable: true },
    })
})

test.for([101, 300, 304, 307, 404, 500])('askReply: the status %i is an error, whatever its body says', (status) => {
  expect(told(status, stream, 'text/event-stream')).toMatchObject({ text: '', error: expect.any(Error) })
})
