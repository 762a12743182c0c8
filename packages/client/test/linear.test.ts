import type { ChatEvent, LogEvent } from '@midstream/core'
import { checkLinear, createCounter } from '@midstream/test-support/operations'
import { test } from 'vitest'
import type { KeptChat } from '../src/state/kept-chat.ts'
import type { ChatMessage } from '../src/message.ts'

/** Twice as long a reply costs a page twice as much, whatever is in it. Sources are imported once the counter counts. */
const counter = createCounter()
const { emptyChat, stepChat } = await import('../src/state/chat-state.ts')
const { cutReply } = await import('../src/state/active-run.ts')
const { toTurn } = await import('../src/state/reply.ts')
const { mergeChats, viewOf } = await import('../src/merge-chats.ts')
const { parseChat } = await import('../src/valid-chat.ts')

const runId = 'run_1'
const reply: ChatMessage = { id: 'msg_1', role: 'assistant', content: '', state: 'streaming' }
const linear = (name: string, largest: number, make: (size: number) => () => unknown): void =>
  test(`linear: ${name}`, { timeout: 60_000 }, () => checkLinear(counter, largest, make))

const call = { tool_call: { id: 'call_1', name: 'f', arguments: {} } }
const replies: readonly (readonly [string, number, readonly LogEvent[]])[] = [
  ['text', 65_536, [{ message: 'x' }]],
  ['text and thinking in turn', 32_768, [{ message: 'x' }, { thinking: 'y' }]],
  ['thinking that starts over again and again', 32_768, [{ thinking: 'y' }, { reset: 'thinking' }]],
  ['data', 65_536, [{ data: { type: 'n' } }]],
  ['data and text in turn', 32_768, [{ data: { type: 'n' } }, { message: 'x' }]],
  ['data, calls and thinking in turn', 16_384, [{ data: { type: 'n' } }, call, { thinking: 'y' }]],
  ['thinking between a few calls, and then text', 1_024, [{ thinking: 'y' }, call]],
]
for (const [name, largest, events] of replies) {
  linear(`reply of ${name}, event by event, and cut in its middle`, largest, (size) => () => {
    const start: ChatEvent = { session_id: 'sess_1', run_id: runId, model: 'm', heartbeat_ms: 5_000 }
    let state = stepChat(emptyChat, { type: 'submit', runId, messages: [], reply })
    state = stepChat(state, { type: 'event', runId, event: start, position: 0 })
    for (let i = 0; i < size; i++) {
      state = stepChat(state, { type: 'event', runId, event: events[i % events.length]!, position: i + 1 })
    }
    for (let i = 0; i < size; i++) {
      state = stepChat(state, { type: 'event', runId, event: { message: 'z' }, position: size + i + 1 })
    }
    const { run, snapshot } = state
    return cutReply(snapshot.messages.at(-1)!, run!, size)
  })
}

linear('messages as they go up', 65_536, (size) => {
  const messages = Array.from({ length: size }, (): ChatMessage => ({ ...reply, content: 'x', state: 'done' }))
  return () => messages.flatMap(toTurn)
})

const chatOf = (size: number, more: string): KeptChat => {
  const messages = Array.from({ length: size }, (_, n): ChatMessage => {
    const isOwn = n === size - 1
    return {
      ...reply,
      id: `msg_${n}${isOwn ? more : ''}`,
      role: n % 2 ? 'assistant' : 'user',
      content: 'x',
      state: 'done',
      version: 1 + n,
    }
  })
  return { sessionId: `sess_${'0'.repeat(32)}`, messages, runs: [], version: 1, removed: [], cleared: 0 }
}
linear('a stored conversation that is checked', 8_192, (size) => {
  const chat: unknown = JSON.parse(JSON.stringify(chatOf(size, '')))
  return () => parseChat(chat)
})
linear('two copies of a conversation that are merged', 8_192, (size) => {
  const [mine, theirs] = [chatOf(size, 'a'), chatOf(size, 'b')]
  return () => mergeChats(mine, theirs)
})
linear('what is shown of a conversation while many runs go on', 8_192, (size) => {
  const chat = chatOf(size, '')
  const messages = chat.messages.map((message, n) => (n % 2 ? { ...message, state: 'streaming' as const } : message))
  const runs = messages
    .filter(({ state }) => state === 'streaming')
    .map((before) => ({ runId: `run_${before.id}`, before, isOpen: true }))
  return () => viewOf(mergeChats({ ...chat, messages, runs }, chatOf(2, 'b')), 'run_msg_1')
})
