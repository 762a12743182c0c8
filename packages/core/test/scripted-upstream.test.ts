import { eventsOf } from '../src/upstream/events-of.ts'
import { expect, test } from 'vitest'
import { scriptedUpstream } from '../src/testing/scripted-upstream.ts'
import type { UpstreamEvent, UpstreamRequest } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'
import { turn } from './support/event-loop.ts'

const request: UpstreamRequest = {
  model: 'm',
  messages: [{ role: 'user', content: 'Hi' }],
  prefill: '',
  interruptedNote: null,
}

interface Read {
  readonly batches: (readonly UpstreamEvent[])[]
  /** Settles with what the reply threw, or undefined. */
  readonly over: Promise<unknown>
}
function read(generated: AsyncIterable<readonly UpstreamEvent[]>): Read {
  const batches: (readonly UpstreamEvent[])[] = []
  const go = async (): Promise<unknown> => {
    try {
      for await (const events of generated) batches.push(events)
      return undefined
    } catch (error) {
      return error
    }
  }
  return { batches, over: go() }
}

test('scripted upstream: a reply holds the request and its signal, and gives batches as they are sent', async () => {
  const upstream = scriptedUpstream()
  const abort = new AbortController()
  const { batches, over } = read(eventsOf(upstream, request, abort.signal))
  const reply = await upstream.next()
  expect(reply.request).toBe(request)
  expect(reply.signal.aborted).toBe(false)
  reply.send('a', { thinking: 'b' })
  await turn()
  expect(batches).toEqual([[{ message: 'a' }, { thinking: 'b' }]])
  reply.send('c')
  reply.finish('length', { completion_tokens: 3 })
  reply.end()
  expect(await over).toBeUndefined()
  expect(batches.slice(1)).toEqual([[{ message: 'c' }], [{ finish: 'length', usage: { completion_tokens: 3 } }]])
})

test('scripted upstream: a finish without words is a stop without usage', async () => {
  const upstream = scriptedUpstream()
  const { batches, over } = read(eventsOf(upstream, request, new AbortController().signal))
  const reply = await upstream.next()
  reply.finish()
  reply.end()
  await over
  expect(batches).toStrictEqual([[{ finish: 'stop' }]])
})

test('scripted upstream: a failure is thrown as it is', async () => {
  const upstream = scriptedUpstream()
  const { over } = read(eventsOf(upstream, request, new AbortController().signal))
  const error = new ChatError('upstream_unreachable', 'No.')
  ;(await upstream.next()).fail(error)
  expect(await over).toBe(error)
})

test('scripted upstream: an abort throws the reason of the signal, drops what was sent and leaves the reply', async () => {
  const upstream = scriptedUpstream()
  const abort = new AbortController()
  const { batches, over } = read(eventsOf(upstream, request, abort.signal))
  const reply = await upstream.next()
  expect(upstream.openReplies).toBe(1)
  const reason = new DOMException('x', 'AbortError')
  reply.send('late')
  abort.abort(reason)
  expect(await over).toBe(reason)
  await reply.left
  expect(batches).toEqual([])
  expect(upstream.openReplies).toBe(0)
})

test('scripted upstream: whoever stops reading leaves the reply', async () => {
  const upstream = scriptedUpstream()
  const generated = eventsOf(upstream, request, new AbortController().signal)
  const first = (async () => {
    for await (const events of generated) return events
    return []
  })()
  const reply = await upstream.next()
  reply.send('a')
  expect(await first).toEqual([{ message: 'a' }])
  await reply.left
  expect(upstream.openReplies).toBe(0)
})

test('scripted upstream: replies are taken in the order they were asked for, before and after', async () => {
  const upstream = scriptedUpstream()
  const early = upstream.next()
  const abort = new AbortController()
  for (const model of ['a', 'b', 'c']) read(eventsOf(upstream, { ...request, model }, abort.signal))
  const taken = [await early, await upstream.next(), await upstream.next()]
  expect(taken.map((reply) => reply.request.model)).toEqual(['a', 'b', 'c'])
  expect(upstream.replies).toEqual(taken)
  abort.abort()
})

test('scripted upstream: a script writes every reply by itself', async () => {
  const upstream = scriptedUpstream({
    model: 'echo',
    script: (reply) => {
      reply.send(reply.request.messages[0]?.content ?? '')
      reply.finish()
      reply.end()
    },
  })
  const { batches, over } = read(eventsOf(upstream, request, new AbortController().signal))
  await over
  expect(upstream.model).toBe('echo')
  expect(batches.flat()).toEqual([{ message: 'Hi' }, { finish: 'stop' }])
})

test('scripted upstream: it says that it is ready', async () => {
  const upstream = scriptedUpstream()
  expect(await upstream.status?.(new AbortController().signal)).toMatchObject({ state: 'ready' })
})
