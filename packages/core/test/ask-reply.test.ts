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

test('askReply: a body that is called a page is one where it begins like one', () => {
  const finished = { text: 'Hi', finish: { finish: 'stop' }, error: undefined }
  for (const type of ['text/html', 'text/html; charset=UTF-8', 'application/xhtml+html'])
    for (const body of [stream, ` \n${stream}`, `\ufeff${stream}`, whole, `\n${whole}`])
      expect(told(200, body, type)).toEqual(finished)
  for (const body of ['<html>Hi</html>', '\n <!doctype html>', '\ufeff<br />', '', ' \n', `<b>Warning</b>\n${stream}`])
    expect(told(200, body, 'text/html')).toMatchObject({ text: '', error: { code: 'upstream_malformed' } })
  expect(told(200, '{"id":"job-7"}', 'text/html').error).toMatchObject({ code: 'upstream_malformed' })
  expect(told(200, '{"error":"The server is busy"}', 'text/html').error).toMatchObject({ code: 'upstream_busy' })
  expect(told(500, stream, 'text/html')).toMatchObject({ text: '', error: expect.any(Error) })
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

// Bodies that stay open

/** A reply whose body does not end. @returns What was pushed, and what may follow. */
function open(first: string): {
  readonly clock: ReturnType<typeof manualClock>
  readonly events: UpstreamEvent[]
  readonly isClosed: () => boolean
  readonly ends: unknown[]
  more(body: string): void
} {
  const clock = manualClock()
  const events: UpstreamEvent[] = []
  const ends: unknown[] = []
  let asked: Parameters<Transport> | undefined
  const transport: Transport = (...given) => {
    asked = given
    given[1].head({ status: 200, header: () => 'text/event-stream' })
    void given[1].data(utf8(first))
  }
  openaiCompatible({ model: 'm', transport, clock }).open(
    { model: 'm', messages: [{ role: 'user', content: 'Hello' }], prefill: '', interruptedNote: null },
    { push: (batch) => void events.push(...batch), end: (why) => void ends.push(why) },
    new AbortController().signal,
  )
  return {
    clock,
    events,
    ends,
    isClosed: () => asked?.[0].signal.aborted ?? false,
    more: (body) => void asked?.[1].data(utf8(body)),
  }
}
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ delta, finish_reason: finish }] })}\n\n`

test('askReply: a body that stays open behind the evidence is waited for 5 s, and the reply is whole', () => {
  const { clock, events, ends, isClosed } = open(chunk({ content: 'Hi' }, 'stop'))
  clock.advance(4_999)
  expect([events, ends, isClosed()]).toEqual([[{ message: 'Hi' }], [], false])
  clock.advance(1)
  expect([events, ends, isClosed()]).toEqual([[{ message: 'Hi' }, { finish: 'stop' }], [undefined], true])
  expect(clock.timers).toBe(0)
})

test('askReply: what comes behind the evidence counts and begins the wait anew, keep-alives do not', () => {
  const { clock, events, more } = open(chunk({ content: 'Hi' }, 'stop'))
  clock.advance(4_000)
  more(chunk({ content: ' you' }))
  clock.advance(4_000)
  more(': ping\n\n')
  clock.advance(999)
  expect(events.filter((event) => !('alive' in event))).toEqual([{ message: 'Hi' }, { message: ' you' }])
  clock.advance(1)
  expect(events.at(-1)).toEqual({ finish: 'stop' })
  expect(clock.timers).toBe(0)
})

test('askReply: without evidence a body that stays open is waited for by nobody here', () => {
  const { clock, ends } = open(chunk({ content: 'Hi' }))
  clock.advance(3_600_000)
  expect([ends, clock.timers]).toEqual([[], 0])
})
