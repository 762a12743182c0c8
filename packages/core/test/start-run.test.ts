import { expect, onTestFinished, test } from 'vitest'
import { createGateway } from '../src/gateway/index.ts'
import { gatewayFetch, manualClock } from '../src/testing/index.ts'
import type { Upstream } from '../src/upstream/upstream.ts'
import { createId } from '../src/wire/ids.ts'

// What a start does, and in which order.

test('start: a reply that is whole in the call in which it is asked for leaves its run kept, its session free, and its client room', async () => {
  const upstream: Upstream = {
    name: 'at once',
    model: 'm',
    open(_request, sink) {
      void sink.push([{ message: 'Hello' }, { finish: 'stop' }])
      sink.end()
    },
  }
  const gateway = createGateway({
    upstream,
    clock: manualClock(),
    clientOf: () => 'client',
    limits: { runs: 1, clientRuns: 1 },
  })
  onTestFinished(() => gateway.close())
  const fetch = gatewayFetch(gateway)
  const session_id = createId('sess')
  const runIds = Array.from({ length: 3 }, () => createId('run'))
  for (const run_id of runIds) {
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], session_id, run_id })
    const answer = await fetch('/api/chat', { method: 'POST', body })
    expect([answer.status, answer.headers.get('session-id')]).toEqual([200, session_id])
    expect(await answer.text()).toContain('"done":true,"reason":"stop"')
    expect(await (await fetch(`/api/chat/sessions/${session_id}`)).json()).toMatchObject({
      active_run: null,
      last_run: { run_id },
    })
    expect(gateway.stats().runs).toBe(0)
  }
  for (const runId of runIds)
    expect(await (await fetch(`/api/chat/runs/${runId}`)).text()).toContain('{"message":"Hello"}')
})
