import { createChatClient, type ChatMessage, type ChatSnapshot, type ErrorBody } from '@midstream/client'
import { expect, test } from 'vitest'
import { actionsOf, endedReply, noteOf } from '../element/reply-note.ts'

const reply = (change: Partial<ChatMessage>): ChatMessage => ({
  id: 'msg_1',
  role: 'assistant',
  content: 'Once',
  state: 'done',
  ...change,
})
const error = (code: ErrorBody['code']): ErrorBody => ({ code, message: '', retryable: true })
const empty = createChatClient({ url: '/' }).session().getSnapshot()
const snapshot = (status: ChatSnapshot['status'], ...messages: readonly ChatMessage[]): ChatSnapshot => ({
  ...empty,
  messages,
  status,
})

test('noteOf: a reply that streams is waited for until its first text, and says when the connection is lost', () => {
  const streaming = reply({ state: 'streaming' })
  expect(noteOf({ ...streaming, content: '' }, 'waiting')).toBe('waiting')
  expect(noteOf({ ...streaming, content: '', thinking: 'Hm' }, 'streaming')).toBe('waiting')
  expect(noteOf(streaming, 'streaming')).toBeUndefined()
  expect(noteOf(streaming, 'reconnecting')).toBe('reconnecting')
})

test('noteOf: an answer that is whole has none, one that was cut off says so, whatever the conversation does', () => {
  expect(noteOf(reply({}), 'reconnecting')).toBeUndefined()
  expect(noteOf(reply({ state: 'interrupted' }), 'streaming')).toBe('stopped')
  expect(noteOf(reply({ reason: 'length' }), 'idle')).toBe('at_limit')
})

test.each([
  ['network', 'unreachable'],
  ['dropped', 'unreachable'],
  ['shutting_down', 'unreachable'],
  ['too_large', 'too_long'],
  ['run_too_long', 'too_long'],
  ['upstream_crashed', 'failed'],
  ['origin_not_allowed', 'failed'],
  ['constructor', 'failed'],
] as const)('noteOf: %s is said as %s', (code, note) => {
  expect(noteOf(reply({ state: 'failed', error: error(code as ErrorBody['code']) }), 'error')).toBe(note)
})

test('actionsOf: a reply that was cut off can go on, one that failed can be asked for again', () => {
  const none = { canContinue: false, canRetry: false }
  expect(actionsOf(undefined)).toEqual(none)
  expect(actionsOf(reply({}))).toEqual(none)
  expect(actionsOf(reply({ state: 'streaming' }))).toEqual(none)
  expect(actionsOf(reply({ role: 'user' }))).toEqual(none)
  expect(actionsOf(reply({ state: 'interrupted' }))).toEqual({ canContinue: true, canRetry: false })
  expect(actionsOf(reply({ reason: 'length' }))).toEqual({ canContinue: true, canRetry: false })
  expect(actionsOf(reply({ state: 'interrupted', content: '' }))).toEqual({ canContinue: false, canRetry: true })
  expect(actionsOf(reply({ state: 'failed', error: error('dropped') }))).toEqual({ canContinue: true, canRetry: true })
  const called = reply({ state: 'interrupted', toolCalls: [{ id: 'call_1', name: 'look', arguments: {} }] })
  expect(actionsOf(called)).toEqual({ canContinue: false, canRetry: true })
})

test('endedReply: is the reply that ended, once, and not before the gateway has said where it was cut', () => {
  const streaming = reply({ state: 'streaming' })
  const stopped = reply({ state: 'interrupted' })
  const next = reply({ id: 'msg_2', state: 'streaming', content: '' })
  expect(endedReply(snapshot('streaming', streaming), snapshot('idle', reply({})))).toEqual(reply({}))
  expect(endedReply(snapshot('streaming', streaming), snapshot('interrupting', stopped))).toBeUndefined()
  expect(endedReply(snapshot('interrupting', stopped), snapshot('idle', stopped))).toBe(stopped)
  expect(endedReply(snapshot('streaming', streaming), snapshot('submitting', stopped, next))).toBe(stopped)
  expect(endedReply(snapshot('idle', stopped), snapshot('idle', stopped))).toBeUndefined()
  expect(endedReply(snapshot('streaming', streaming), snapshot('idle'))).toBeUndefined()
  expect(endedReply(snapshot('idle'), snapshot('idle', stopped))).toBeUndefined()
})
