import type { ChatEvent, LogEvent } from '@midstream/core'
import { array, assert, boolean, constantFrom, property, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import type { ChatMessage } from '../src/message.ts'
import { emptyChat, stepChat, type ChatState } from '../src/state/chat-state.ts'

/** Lists of a reply grow in place, and nobody can see it: a snapshot stays as it was, whenever it is read. */

const runId = 'run_1'
const started = (reply: ChatMessage): ChatState => {
  const start: ChatEvent = { session_id: 'sess_1', run_id: runId, model: 'm', heartbeat_ms: 5_000 }
  const state = stepChat(emptyChat, { type: 'submit', runId, messages: [], reply })
  return stepChat(state, { type: 'event', runId, event: start, position: 0 })
}
const empty: ChatMessage = { id: 'msg_1', role: 'assistant', content: '', state: 'streaming' }
const last = ({ snapshot }: ChatState): ChatMessage => snapshot.messages.at(-1)!
const after = (state: ChatState, event: LogEvent): ChatState =>
  stepChat(state, { type: 'event', runId, event, position: state.run!.position + 1 })
const call = (n: number) => ({ tool_call: { id: `call_${n}`, name: 'look', arguments: { n } } })
const data = (n: number) => ({ data: { type: 'n', n } })

test('lists: each snapshot has what had come by then, read at once or at the end', () => {
  const kinds = constantFrom('call', 'data', 'text', 'thinking', 'reset')
  assert(
    property(array(tuple(kinds, boolean()), { maxLength: 40 }), boolean(), (steps, hasBefore) => {
      let state = started(hasBefore ? { ...empty, content: 'Before', data: [{ type: 'old' }] } : empty)
      const seen: { readonly message: ChatMessage; readonly calls: number; readonly data: number }[] = []
      let [calls, events] = [0, hasBefore ? 1 : 0]
      for (const [[kind, reads], n] of steps.map((step, at) => [step, at] as const)) {
        if (kind === 'call') calls += 1
        if (kind === 'data') events += 1
        const event: LogEvent =
          kind === 'call'
            ? call(n)
            : kind === 'data'
              ? data(n)
              : kind === 'text'
                ? { message: 'x' }
                : kind === 'thinking'
                  ? { thinking: 'y' }
                  : { reset: 'thinking' }
        state = after(state, event)
        const message = last(state)
        if (reads) expect(message.data?.length ?? 0).toBe(events)
        seen.push({ message, calls, data: events })
      }
      for (const { message, calls: many, data: more } of seen) {
        expect([message.toolCalls?.length ?? 0, message.data?.length ?? 0]).toEqual([many, more])
        // It is copied, stored and sent to other tabs as any other.
        expect(structuredClone(message)).toEqual({ ...message })
        expect(JSON.parse(JSON.stringify(message))).toEqual(JSON.parse(JSON.stringify({ ...message })))
      }
    }),
  )
})

test('lists: two continuations of one state do not see each other', () => {
  const one = after(started(empty), data(1))
  const [two, three] = [after(one, data(2)), after(one, data(3))]
  expect([one, two, three].map((state) => last(state).data)).toEqual([
    [{ type: 'n', n: 1 }],
    [1, 2].map((n) => ({ type: 'n', n })),
    [1, 3].map((n) => ({ type: 'n', n })),
  ])
})

test('lists: text that grows after them leaves them the same arrays', () => {
  const before = after(after(started(empty), data(1)), call(1))
  const { data: list, toolCalls } = last(before)
  const grown = last(after(before, { message: 'x' }))
  expect(grown.data).toBe(list)
  expect(grown.toolCalls).toBe(toolCalls)
  const next = last(after(before, data(2)))
  expect([next.data?.length, list?.length, next.toolCalls === toolCalls]).toEqual([2, 1, true])
})
