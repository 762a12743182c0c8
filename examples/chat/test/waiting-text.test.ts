import { expect, test } from 'vitest'
import { waitingText } from '../page/messages/waiting-text.ts'
import { en } from '../page/words/en.ts'
import { zh } from '../page/words/zh.ts'

test('waiting text: figures of the model server are told as percents', () => {
  const read = (done?: number, total?: number): string =>
    waitingText(en, 'waiting', {
      status: 'waiting',
      progress: { stage: 'prompt', ...(done !== undefined && { done }), ...(total !== undefined && { total }) },
    })
  expect(read(512, 4_096)).toBe('the model is reading… 12 %')
  expect(read(4_096, 4_096)).toBe('the model is reading… 100 %')
  expect(read(9_999, 4_096)).toBe('the model is reading… 100 %')
  expect([read(), read(3), read(3, 0)]).toEqual(Array.from({ length: 3 }, () => 'the model is reading…'))
})

test('waiting text: a model that loads is told from one that reads, in both languages', () => {
  const status = { status: 'waiting', progress: { stage: 'loading', total: 9e9 } } as const
  expect(waitingText(en, 'waiting', status)).toBe('the model is loading…')
  expect(waitingText(zh, 'waiting', status)).toBe('模型正在加载……')
})

test('waiting text: a server that is gone before and after the first word', () => {
  expect(waitingText(en, 'waiting', { status: 'waiting', attempt: 2, retry_in_ms: 500 })).toBe(en.waitingForServer)
  expect(waitingText(en, 'waiting', { status: 'recovering', attempt: 2, retry_in_ms: 500 })).toBe(en.recovering)
})

test('waiting text: without a word of the gateway, the status says it', () => {
  expect(waitingText(en, 'waiting', null)).toBe(en.waiting)
  expect(waitingText(en, 'streaming', { status: 'generating' })).toBe(en.streaming)
  expect(waitingText(en, 'reconnecting', { status: 'recovering' })).toBe(en.reconnecting)
})
