import type { ChatEvent, LogEvent } from '@midstream/core'
import { heapBytes } from '@midstream/test-support/heap'
import { expect, test } from 'vitest'
import { emptyChat, stepChat, type ChatState } from '../src/state/chat-state.ts'
import type { ChatMessage } from '../src/message.ts'

const mib = 1_024 * 1_024
const reply: ChatMessage = { id: 'msg_1', role: 'assistant', content: '', state: 'streaming' }
const runId = 'run_1'

/** A run that says so many rounds of events, each shown before the next one comes. */
function said(rounds: number, events: readonly (readonly [LogEvent, number])[]): ChatState {
  const start: ChatEvent = { session_id: 'sess_1', run_id: runId, model: 'm', heartbeat_ms: 5_000 }
  let state = stepChat(emptyChat, { type: 'submit', runId, messages: [], reply })
  state = stepChat(state, { type: 'event', runId, event: start, position: 0 })
  let position = 0
  for (let i = 0; i < rounds; i++) {
    for (const [event, units] of events) {
      position += units
      state = stepChat(state, { type: 'event', runId, event, position })
    }
    show(state)
  }
  return state
}
/** Looks through what is shown, as a page does: a text that was put together of pieces is made one. */
function show({ snapshot }: ChatState): boolean {
  return snapshot.messages.some(({ content, thinking }) => content.includes('?') || thinking?.includes('?'))
}

const call = { id: 'call_1', name: 'look', arguments: {} }
for (const [what, other] of [
  ['data events', [{ data: { type: 'n' } }, 1]],
  ['tool calls', [{ tool_call: call }, 1]],
  ['thoughts', [{ thinking: 'x'.repeat(20) }, 20]],
] as const) {
  test(`memory: a reply of 4 000 ${what} between its deltas costs less than 4 MiB while it grows`, () => {
    const delta = [{ message: 'x'.repeat(20) }, 20] as const
    said(10, [delta, other])
    const before = heapBytes()
    const state = said(4_000, [delta, other])
    const bytes = heapBytes() - before
    expect(state.snapshot.messages.at(-1)!.content).toHaveLength(80_000)
    expect(bytes).toBeLessThan(4 * mib)
  })
}
