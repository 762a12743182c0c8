import { expect, test } from 'vitest'
import { ChatError, isChatError, toErrorBody } from '../src/wire/errors.ts'

test('ChatError: is an Error with a code, not retryable and without a cause unless told', () => {
  const cause = new Error('ECONNREFUSED')
  const error = new ChatError('upstream_unreachable', 'No.', { cause, retryable: true })
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ name: 'ChatError', code: 'upstream_unreachable', retryable: true, cause })
  expect(new ChatError('bad_request', 'No.')).toMatchObject({ retryable: false, cause: undefined })
})

test('isChatError: tells one of another copy of the package by its shape', () => {
  const other = Object.assign(new Error('No.'), { name: 'ChatError', code: 'overflow', retryable: false })
  expect(isChatError(other)).toBe(true)
  expect(isChatError(new ChatError('overflow', 'No.'))).toBe(true)
})

test('isChatError: a system error with a code, an abort and plain objects are none', () => {
  expect(isChatError(Object.assign(new Error('No.'), { code: 'ECONNRESET' }))).toBe(false)
  expect(isChatError(new DOMException('No.', 'AbortError'))).toBe(false)
  expect(isChatError({ name: 'ChatError', code: 'overflow', message: 'No.', retryable: false })).toBe(false)
  expect(isChatError(undefined)).toBe(false)
})

test('toErrorBody: code, message and retryable travel, the cause and the stack do not', () => {
  const error = new ChatError('upstream_failed', 'The model server failed.', { cause: 'secret', retryable: true })
  expect(toErrorBody(error)).toStrictEqual({
    code: 'upstream_failed',
    message: 'The model server failed.',
    retryable: true,
  })
})

test('toErrorBody: an unknown error is internal, without its words', () => {
  for (const error of [new Error('secret'), 'secret', { code: 'secret' }, null]) {
    expect(toErrorBody(error)).toMatchObject({ code: 'internal', retryable: false })
    expect(JSON.stringify(toErrorBody(error))).not.toContain('secret')
  }
})
