import { expect, test } from 'vitest'
import { createRedaction } from '../src/upstream/reply/redaction.ts'
import { ChatError } from '../src/wire/errors.ts'

const redact = createRedaction(
  Object.entries({ authorization: 'Bearer sk-secret', 'x-token': 'abc', 'openai-organization': 'org-1' }),
)
const failed = (cause: unknown): ChatError =>
  new ChatError('upstream_unreachable', 'Away.', { cause, retryable: true, retryAfterMs: 7 })

test('redaction: what is too short for a key stays, and so does what is in other headers', () => {
  const error = failed('abc of org-1')
  expect(redact(error)).toBe(error)
})

test('redaction: of an error as the cause, with a key in it or in its own causes, only its words stay, without the key', () => {
  const inner = new RangeError('Bearer sk-secret is no header')
  const safe = redact(failed(new TypeError('fetch failed', { cause: inner })))
  expect(safe).toMatchObject({ code: 'upstream_unreachable', message: 'Away.', retryable: true, retryAfterMs: 7 })
  expect(safe.cause).toBe('TypeError: fetch failed: RangeError: Bearer [key] is no header')
  expect(redact(failed(new Error('no sk-secret', { cause: inner }))).cause).toBe(
    'Error: no [key]: RangeError: Bearer [key] is no header',
  )
})

test('redaction: an error without a key in it, and a cause that is no error, stay what they are', () => {
  for (const cause of [new Error('plain', { cause: 'x' }), undefined, 7]) {
    const error = failed(cause)
    expect(redact(error)).toBe(error)
  }
  const other = new Error('sk-secret')
  expect(redact(other)).toBe(other)
})

test('redaction: causes that go round come to an end, and without the key', () => {
  const round = new Error('sk-secret')
  round.cause = round
  expect(redact(failed(round)).cause).toMatch(/^Error: \[key\](: Error: \[key\])*$/)
})
