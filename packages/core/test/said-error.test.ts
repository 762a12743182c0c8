import { expect, test } from 'vitest'
import { httpError } from '../src/upstream/http/http.ts'
import { errorIn } from '../src/upstream/http/said-error.ts'
import { bandError, isBandError } from '../src/upstream/openai/errors.ts'
import type { ChatErrorCode } from '../src/wire/errors.ts'

const choices = [{ delta: { content: 'Hi' } }]

test.for<[unknown]>([
  [{}],
  [null],
  [''],
  [0],
  [false],
  [[]],
  [{ code: 0, message: '' }],
  [{ message: null, type: '' }],
  [{ code: '0', message: 'success' }],
])('errors: %o in a chunk says nothing', ([error]) => {
  expect(isBandError({ choices, error }, undefined)).toBe(false)
})

test.for<[string, unknown, ChatErrorCode]>([
  ['FastAPI', { detail: 'Not authenticated' }, 'upstream_unauthorized'],
  ['FastAPI validation', { detail: [{ msg: 'Field required', type: 'missing' }] }, 'upstream_failed'],
  ['a message alone', { message: 'Service temporarily unavailable' }, 'upstream_busy'],
  ['a code and msg', { code: 1302, msg: '您的账户已达到速率限制，请您控制请求频率' }, 'upstream_busy'],
  ['success false', { success: false, message: 'API key 无效' }, 'upstream_unauthorized'],
  [
    'MiniMax',
    { choices: null, base_resp: { status_code: 1008, status_msg: 'insufficient balance' } },
    'upstream_unauthorized',
  ],
  ['Tencent', { Response: { Error: { Code: 'LimitExceeded', Message: '请求限频，请稍后重试' } } }, 'upstream_busy'],
  ['Baidu', { error_code: 18, error_msg: 'Open api qps request limit reached: rate limit' }, 'upstream_busy'],
  [
    'xAI',
    { code: 'Client specified an invalid argument', error: 'Incorrect API key provided: xa***zz.' },
    'upstream_unauthorized',
  ],
  ['a list', { errors: [{ message: 'The engine is overloaded' }] }, 'upstream_busy'],
  [
    'a provider behind a proxy',
    { error: { message: 'Provider returned error', code: 429, metadata: { raw: 'slow' } } },
    'upstream_busy',
  ],
  ['a filter', { error: { message: '系统检测到输入或生成内容可能包含不安全或敏感内容' } }, 'upstream_rejected'],
  ['a model', { error: "model 'x' not found" }, 'upstream_model_missing'],
  ['a context in Chinese', { error: { code: '1261', message: 'Prompt 超长' } }, 'upstream_failed'],
  ['a context in Chinese, in full', { error: { message: '输入 token 数超过模型上限' } }, 'upstream_rejected'],
  ['nobody knows', { error: { message: 'Something went wrong' } }, 'upstream_failed'],
])('errors: the shape of %s is read', ([, said, code]) => {
  expect(isBandError(said as never, undefined)).toBe(true)
  expect(bandError(said)).toMatchObject({ code })
})

test('errors: what every chunk of some servers says of itself is no error', () => {
  expect(errorIn({ base_resp: { status_code: 0, status_msg: '' }, choices }, undefined, true)).toBeUndefined()
  expect(errorIn({ header: { code: 0, message: 'Success' }, choices }, undefined, true)).toBeUndefined()
  expect(errorIn({ code: 200, msg: 'ok', success: true })).toBeUndefined()
  expect(errorIn({ type: 'ping' })).toBeUndefined()
  expect(errorIn({ message: { content: 'Hi' } })).toBeUndefined()
  expect(isBandError({ type: 'prompt_processing.progress', progress: 0.5, message: 'x' }, undefined)).toBe(false)
})

test.for([
  'Rate limit exceeded',
  'Too many requests, slow down',
  'Service temporarily unavailable',
  'This model is currently experiencing high demand. Please try again later.',
  'The server is busy',
  'Throttling.RateQuota',
  '当前服务繁忙，请稍后再试',
  'no available workers',
  'model is currently loading',
])('errors: "%s" inside a stream is a busy server', (message) => {
  expect(bandError({ error: { message } })).toMatchObject({ code: 'upstream_busy', retryable: true })
})

test.for([
  'prompt is too long: 1284668 tokens > 1000000 maximum',
  'Input length 131393 exceeds the maximum allowed input length of 131040 tokens.',
  'Unable to submit request because the input token count is 32825 but model only supports up to 32768.',
  "This model's maximum context length is 8192 tokens.",
  'Range of input length should be [1, 30720]',
  "Input length (9000) exceeds model's maximum context length (8192).",
  'Please reduce the length of the messages',
])('errors: "%s" is a context that overflows, for ever', (message) => {
  expect(bandError({ error: { message } })).toMatchObject({ code: 'upstream_rejected', retryable: false })
  expect(bandError({ error: { message, type: null, code: null } })).toMatchObject({ code: 'upstream_rejected' })
})

const failed = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  httpError({ status, header: (name) => headers[name] }, typeof body === 'string' ? body : JSON.stringify(body), 'm', 0)

test.for([520, 521, 522, 523, 524, 525, 526, 527, 530, 499])('http: the status %i of a proxy passes', (status) => {
  expect(failed(status, `error code: ${status}`)).toMatchObject({ code: 'upstream_unreachable', retryable: true })
})

test.for<[unknown]>([
  [[{ error: { code: 400, message: 'API key not valid. Please pass a valid API key.', status: 'INVALID_ARGUMENT' } }]],
  [{ code: 'Client specified an invalid argument', error: 'Incorrect API key provided: xa***zz.' }],
  [
    {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'Your credit balance is too low to access the API.' },
    },
  ],
  [{ error: { message: '账户余额不足，请充值', code: '1113' } }],
  [{ code: 'Arrearage', message: 'Access denied, please make sure your account is in good standing.' }],
])('http: an account that is refused as 400 is no fault of the request: %o', ([body]) => {
  expect(failed(400, body)).toMatchObject({ code: 'upstream_unauthorized', retryable: false })
})

test('http: what a refusal says again of the request decides nothing', () => {
  const words = 'rate limit, invalid api key, server busy'
  expect(failed(422, { detail: [{ msg: 'Field required', input: words }] })).toMatchObject({
    code: 'upstream_rejected',
  })
  const far = `Invalid message: ${'x'.repeat(400)} ${words}`
  expect(failed(400, { error: { message: far, type: 'invalid_request_error' } })).toMatchObject({
    code: 'upstream_rejected',
  })
  expect(failed(400, { error: { message: 'the server is busy, said the fox' } })).toMatchObject({
    code: 'upstream_rejected',
  })
  expect(failed(400, { error: { message: 'x', type: 'rate_limit_exceeded' } })).toMatchObject({ code: 'upstream_busy' })
})

test.for<[unknown, number | undefined]>([
  [{ error: { details: [{ retryDelay: '17s' }] } }, 17_000],
  [[{ error: { details: [{ '@type': 'RetryInfo', retryDelay: '2.5s' }] } }], 2_500],
  [{ error: { message: 'x', retry_after: 3 } }, 3_000],
  [{ error: 'x', retry_after_ms: 250 }, 250],
  [{ error: { message: 'x', metadata: { headers: { 'Retry-After': '9' } } } }, 9_000],
  [{ error: { message: 'Rate limit reached. Please try again in 20s. Visit us.' } }, 20_000],
  [{ error: { message: 'Please try again in 1m30.5s.' } }, 90_500],
  [{ error: { message: 'Please retry in 58.93s.' } }, 58_930],
  [{ error: { message: 'Try again in 1 minute and 20 seconds' } }, 80_000],
  [{ error: { message: 'Try again in 1 hour, 2 minutes, and 3 seconds.' } }, 3_723_000],
  [{ error: { message: 'Please wait 20 seconds and try again' } }, 20_000],
  [{ error: { message: 'Try again in 340ms' } }, 340],
  [{ error: { message: 'Please retry after 20 seconds.' } }, 20_000],
  [{ error: { message: 'Please wait for 2 minutes' } }, 120_000],
  [{ error: { message: '请求过于频繁，请在 30 秒后重试' } }, 30_000],
  ['Too many requests, please try again in 7 seconds', 7_000],
  [{ error: { message: 'Please try again later.' } }, undefined],
  [{ error: { message: 'x', retry_after: 1e15 } }, undefined],
  [{ error: { message: 'x', retry_after: null } }, undefined],
])('http: the body %o says to wait %s ms', ([body, ms]) => {
  expect(failed(429, body).retryAfterMs).toBe(ms)
})

test('http: a header goes before the body, and what does not pass says no wait', () => {
  expect(failed(429, { error: { retry_after: 9 } }, { 'retry-after': '1' }).retryAfterMs).toBe(1_000)
  expect(failed(400, { error: { message: 'x', retry_after: 9 } }).retryAfterMs).toBeUndefined()
})

test('errors: a server that says when to come back is busy, in whatever words', () => {
  expect(bandError({ error: { message: 'Oops', retry_after: 2 } })).toMatchObject({
    code: 'upstream_busy',
    retryAfterMs: 2_000,
  })
})

test('errors: the largest of bodies are read in their beginning, however deep or long', () => {
  let deep: unknown = 'x'
  for (let i = 0; i < 50_000; i++) deep = { error: deep }
  expect(bandError(deep)).toMatchObject({ code: 'upstream_failed' })
  for (const message of [
    'retry in '.repeat(100_000),
    '1s'.repeat(400_000),
    'model '.repeat(100_000),
    'try again 1'.repeat(90_000),
  ])
    expect(bandError({ error: { message } }).code).toBe('upstream_failed')
})
