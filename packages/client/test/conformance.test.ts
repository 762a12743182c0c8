import { ChatError, type ChatErrorCode } from '@midstream/core'
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, manualClock, scriptedUpstream } from '@midstream/core/testing'
import { ollama, type TransportSink, type Upstream, type UpstreamEvent } from '@midstream/core/upstream'
import { conformanceCases, type ConformanceCase, type ConformanceStep } from '@midstream/test-support/conformance'
import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import type { ChatMessage } from '../src/message.ts'

/** The cases that the run log and the gateway are held to, through a client: its message must say what a reader has. */

type UpstreamStep = Exclude<ConformanceStep, { readonly interrupt: unknown }>
interface CaseUpstream {
  readonly upstream: Upstream
  play(step: UpstreamStep): Promise<void>
}

const failure = (code: string): ChatError => new ChatError(code as ChatErrorCode, 'The case says so.')

function eventUpstream(): CaseUpstream {
  const upstream = scriptedUpstream()
  return {
    upstream,
    async play(step) {
      const reply = upstream.replies[0] ?? (await upstream.next())
      if ('send' in step) {
        reply.send(
          ...step.send.map((event): UpstreamEvent => ('error' in event ? { error: failure(event.error) } : event)),
        )
      } else if ('fail' in step) reply.fail(failure(step.fail))
      else if ('end' in step) reply.end()
    },
  }
}

function ollamaUpstream(): CaseUpstream {
  const asked = Promise.withResolvers<TransportSink>()
  const upstream = ollama({
    model: 'scripted',
    transport(_request, sink) {
      sink.head({ status: 200, header: () => undefined })
      asked.resolve(sink)
    },
  })
  return {
    upstream,
    async play(step) {
      const sink = await asked.promise
      if ('bytes' in step) void sink.data(new TextEncoder().encode(step.bytes))
      else if ('end' in step) sink.end()
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function replyOf({ upstream: kind, steps }: ConformanceCase): Promise<ChatMessage | null> {
  const { upstream, play } = kind === 'events' ? eventUpstream() : ollamaUpstream()
  const clock = manualClock()
  const fetch = gatewayFetch(createGateway({ upstream, clock, recovery: false }))
  let runId = ''
  const client = createChatClient({
    url: '/api/chat',
    clock,
    fetch: (input, init) => {
      runId ||= (JSON.parse(init?.body as string) as { run_id: string }).run_id
      return fetch(input, init)
    },
  })
  const sent = client.session().send('Hello')
  for (const step of steps) {
    await turn()
    if ('interrupt' in step) {
      // Somebody else's: this client learns of it by its own reader.
      await fetch(`/api/chat/runs/${runId}/interrupt`, { method: 'POST', body: JSON.stringify(step.interrupt) })
    } else await play(step)
    await turn()
    clock.advance(100)
  }
  return sent
}

for (const one of conformanceCases) {
  test(`client: ${one.name}`, async () => {
    const reader = one.readers.find(({ from }) => from === 0)!
    const { reason } = reader.terminal
    const reply = await replyOf(one)
    expect(reply).toMatchObject({
      content: reader.content,
      state: reason === 'interrupted' ? 'interrupted' : reason === 'error' ? 'failed' : 'done',
    })
    expect(reply?.thinking ?? '').toBe(reader.thinking)
    expect([...(reply?.toolCalls ?? []), ...(reply?.data ?? [])]).toHaveLength(reader.events.length)
    if (reason === 'error') expect(reply?.error?.code).toBe((reader.terminal['error'] as { code: string }).code)
  })
}
