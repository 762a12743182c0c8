import { expect, test } from 'vitest'
import { httpError } from '../src/upstream/http/http.ts'
import { waitSaid } from '../src/upstream/http/wait-words.ts'
import { refusesRoles } from '../src/upstream/history/plain-history.ts'
import { wantsThinking } from '../src/upstream/history/thinking-wanted.ts'
import { createOllamaDecoder } from '../src/upstream/ollama/decoder.ts'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import { bandError, isBandError } from '../src/upstream/openai/errors.ts'
import { endingOf, reasonIn } from '../src/upstream/reply/finish-reasons.ts'
import { plainWords } from '../src/upstream/reply/plain-words.ts'
import { utf8 } from './support/bytes.ts'

// What servers and proxies say in the frames of an answer with status 200

const choices = [{ delta: { content: 'Hi' } }]

test.for<[unknown]>([
  [{ code: 200, message: 'OK' }],
  [{ code: '200', message: 'Success', type: 'info' }],
  [{ code: 20_000, msg: 'ok' }],
  [{ code: 0, message: 'No error' }],
  [{ code: '00000', msg: '请求成功' }],
  [{ success: true }],
  [{ success: true, message: 'Request accepted' }],
  [{ ok: true, code: 0 }],
  [{ isSuccess: true, description: 'all is well' }],
  [{ status: 'success', code: null, message: 'succeeded' }],
  [{ type: 'none', message: 'no errors' }],
  [{ request_id: 'req-7', code: 0, message: '' }],
  [{ requestId: 'req-7', timestamp: 1_790_000_000, code: 0 }],
  [{ retryable: true, message: null }],
  [{ details: [], metadata: {}, message: '' }],
  ['no error'],
  ['No errors.'],
  ['no_error'],
  ['None'],
  ['without error'],
  ['OK'],
  ['null'],
  ['{}'],
  ['成功'],
  [200],
  ['200'],
])('errors: %o beside a reply says that all is well', ([error]) => {
  expect(isBandError({ choices, error }, undefined)).toBe(false)
  expect(isBandError({ choices, errors: [error] }, undefined)).toBe(false)
  const said = utf8(
    `data: ${JSON.stringify({ choices: [{ delta: { content: 'Hi' }, finish_reason: 'stop' }], error })}\n\n`,
  )
  const decoder = createOpenAiDecoder()
  expect([...decoder.push(said), ...decoder.end()]).toEqual([{ message: 'Hi' }, { finish: 'stop' }])
  const line = utf8(`${JSON.stringify({ message: { content: 'Hi' }, done: true, done_reason: 'stop', error })}\n`)
  const lines = createOllamaDecoder()
  expect([...lines.push(line), ...lines.end()]).toEqual([{ message: 'Hi' }, { finish: 'stop' }])
})

test.for<[unknown]>([
  [{ code: 200, message: 'Rate limit exceeded' }],
  [{ code: 502, message: 'OK' }],
  [{ code: 0, message: 'The engine is overloaded' }],
  [{ success: false }],
  [{ ok: false, message: '' }],
  [{ success: true, code: 1302 }],
  [{ type: 'server_error', message: null }],
  [{ metadata: { raw: 'slow' } }],
  ['Internal error'],
  ['no errors were found in the request, but the engine failed'],
  [true],
  [500],
])('errors: %o beside a piece of a reply is an error', ([error]) => {
  expect(isBandError({ choices, error }, undefined)).toBe(true)
})

test.for<[string, Record<string, unknown>]>([
  ['what every chunk says', { code: 0, msg: 'success', choices }],
  ['a code and a word', { code: 200, message: 'OK' }],
  ['success in front of words', { success: true, message: 'The request was accepted' }],
  ['ok', { ok: true, message: 'queued' }],
  ['a fault that is none', { choices, err: null, fault: null }],
  ['a status that is none', { status: 'in_progress', choices: [] }],
])('errors: %s is none', ([, frame]) => {
  expect(isBandError(frame, undefined)).toBe(false)
})

test.for<[string, Record<string, unknown>, string]>([
  [
    'the Responses API',
    {
      type: 'response.failed',
      response: { status: 'failed', error: { code: 'rate_limit_exceeded', message: 'Slow' } },
    },
    'upstream_busy',
  ],
  [
    'Apigee',
    {
      fault: { faultstring: 'Rate limit quota violation', detail: { errorcode: 'policies.ratelimit.QuotaViolation' } },
    },
    'upstream_busy',
  ],
  ['Apigee, in words', { fault: 'Invalid API key' }, 'upstream_unauthorized'],
  ['camel case', { errCode: 1113, errMsg: '账户余额不足' }, 'upstream_unauthorized'],
  ['camel case in full', { errorCode: 'Throttling', errorMessage: 'slow' }, 'upstream_busy'],
  ['Pascal case', { ErrorCode: 'AccessDenied', ErrorMessage: 'not you' }, 'upstream_unauthorized'],
  ['ok false', { ok: false, description: 'Too many requests' }, 'upstream_busy'],
  ['err', { err: { message: 'The server is busy' } }, 'upstream_busy'],
  ['err in words', { err: 'model "x" not found' }, 'upstream_model_missing'],
  ['a list of details', { detail: [{ msg: 'prompt is too long', type: 'value_error' }] }, 'upstream_rejected'],
  ['a status in words', { status: 'error', message: 'Service Unavailable' }, 'upstream_busy'],
  ['a failed status', { status: 'failed', reason: 'overloaded' }, 'upstream_busy'],
  ['OAuth', { error: 'invalid_token', error_description: 'The token expired' }, 'upstream_unauthorized'],
])('errors: the shape of %s is read, and what it says', ([, frame, code]) => {
  expect(isBandError(frame, undefined)).toBe(true)
  expect(bandError(frame)).toMatchObject({ code })
})

/** Words, and what they mean wherever they are said. */
const meanings: Readonly<Record<string, readonly string[]>> = {
  'upstream_unreachable, again': [
    'upstream connect error or disconnect/reset before headers. reset reason: connection termination',
    'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: overflow',
    'no healthy upstream',
    'upstream request timeout',
    'Bad gateway',
    '502 Bad Gateway',
    'Gateway Time-out',
    'Deadline exceeded',
    'DEADLINE_EXCEEDED',
    'context deadline exceeded',
    'Request timed out.',
    'read ECONNRESET',
    'connect ETIMEDOUT 10.0.0.7:443',
    'socket hang up',
    'fetch failed',
    '网关超时',
    'Connection error.',
    'peer closed connection without sending complete message body (incomplete chunked read)',
  ],
  'upstream_crashed, again': [
    'Internal server error',
    'Internal Server Error',
    'An internal error occurred. Sorry.',
    'Unexpected internal error',
    'the engine core died',
    'The server had an error while processing your request. Sorry about that!',
  ],
  'upstream_busy, again': [
    'Service Unavailable',
    'overloaded',
    'Overloaded',
    'Resource has been exhausted (e.g. check quota).',
    'RESOURCE_EXHAUSTED',
    'RPM limit reached',
    'TPM exceeded',
    'You have exceeded the QPS limit',
    'rpm_limit_exceeded',
    'too many concurrent generations',
    'Too many users are asking',
    'No available channel for model gpt-4o under group default',
    '当前分组 default 下对于模型 gpt-4o 无可用渠道',
    'No available providers',
    'limited to 3 requests per minute',
    'Please try again later',
    'Retry a little later',
    'Your quota is exhausted, please try again in 30s',
    '排队人数过多',
    'Model is warming up',
    'no GPU available',
    'Please retry after some time',
    '当前模型负载较高',
  ],
  upstream_unauthorized: [
    'insufficient_user_quota',
    'user quota is not enough',
    'quota exhausted',
    'Your quota has been exhausted.',
    'token quota is not enough',
    '用户额度不足',
    '该令牌额度已用尽',
    'Invalid Authentication',
    'invalid_authentication_error',
    'Authentication Fails (no such user)',
    'authentication failed',
    'token expired',
    'The security token has expired',
    'Expired access token',
    'Permission denied',
    'PERMISSION_DENIED',
    'Unauthorized',
    'No auth credentials found',
    'The account is in arrears',
    'AccountOverdueError: the account has an overdue balance',
    '账户余额不足',
    'This request requires more credits, or fewer max_tokens',
    'Budget has been exceeded! Current cost: 10.2',
    'The free tier of the model has been exhausted',
    'Your trial has expired',
    '用户未登录',
    '无权访问该模型',
  ],
  upstream_rejected: [
    'context limit reached',
    'n_ctx exceeded',
    'context exceeded',
    'exceeds the context window',
    '`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 512 `max_new_tokens`',
    'Input validation error: `inputs` must have less than 4095 tokens: inputs tokens + max_new_tokens exceeded',
    'Input length exceeded',
    'token limit exceeded',
    'the prompt is longer than the context length currently available to the model',
    'Too many tokens in the prompt',
    'max_seq_len is 2048',
    'This model supports at most 4096 completion tokens',
    'requested 9000 tokens but maximum is 4096',
    'max_tokens must be at most 8192',
  ],
  upstream_model_missing: ['Unknown model: x', 'no such model', 'Unsupported model x', 'model_not_supported'],
  'upstream_failed, again': [
    'invalid model output',
    'Something went wrong',
    'It failed',
    'The tool gave nothing',
    'unexpected token in JSON',
    'context canceled',
    'a permission slip',
    'CUDA error: an illegal memory access',
  ],
}
for (const [meaning, all] of Object.entries(meanings))
  test.for([...all])(`errors: "%s" in a frame is ${meaning}`, (message) => {
    const told = (error: { code: string; retryable: boolean }): string =>
      `${error.code}${error.retryable ? ', again' : ''}`
    expect(told(bandError({ error: message }))).toBe(meaning)
    expect(told(bandError({ error: { message, type: null, code: null } }))).toBe(meaning)
    const frame = utf8(`data: ${JSON.stringify({ choices: [], error: { message } })}\n\n`)
    const [event] = createOpenAiDecoder().push(frame)
    expect(event && 'error' in event && told(event.error)).toBe(meaning)
  })

test.for([
  'upstream connect error or disconnect/reset before headers',
  'no healthy upstream',
  'Internal Server Error',
  '502 Bad Gateway',
])('errors: "%s" as a line of plain words is one', (said) => {
  expect(plainWords(said)).toBe('error')
})

test('errors: a status decides before words that only say how it came about', () => {
  const failed = (status: number, message: string): string =>
    httpError({ status, header: () => undefined }, JSON.stringify({ error: { message } }), 'm', 0).code
  expect(failed(500, 'Internal server error')).toBe('upstream_failed')
  expect(failed(400, 'upstream connect error')).toBe('upstream_rejected')
  expect(failed(503, 'no healthy upstream')).toBe('upstream_busy')
  expect(failed(500, 'permission denied while opening the model')).toBe('upstream_failed')
  expect(failed(400, 'the token expired')).toBe('upstream_unauthorized')
})

test.for([
  "1 validation error: [{'type': 'missing', 'msg': 'Field required', 'input': {'role': 'user', 'content': 'WORDS'}}]",
  "messages.0.content Input should be a valid string [type=string_type, input_value='WORDS', input_type=str]",
  'Invalid request: {"messages": [{"role": "user", "content": "WORDS"}]}',
])('errors: what a validator says again of the request decides nothing: %s', (message) => {
  for (const words of [
    'invalid api key',
    'quota exhausted',
    'permission denied',
    'rate limit reached',
    'please try again in 5 seconds',
  ]) {
    const said = message.replace('WORDS', words)
    for (const body of [JSON.stringify({ error: { message: said, type: 'BadRequestError' } }), said])
      expect(httpError({ status: 400, header: () => undefined }, body, 'm', 0).code).toBe('upstream_rejected')
  }
})

// Waits

test.for<[unknown, number | undefined]>([
  [{ message: 'Please wait 5 seconds' }, 5_000],
  [{ message: 'wait 5 seconds before the next request' }, 5_000],
  [{ message: 'You must wait at least 2 minutes.' }, 120_000],
  [{ message: 'Try again in 1m30s' }, 90_000],
  [{ message: 'Please try again in about 1 hour 5 minutes' }, 3_900_000],
  [{ message: 'Rate limited, retry 10s later' }, 10_000],
  [{ message: 'Cooldown: 30s' }, 30_000],
  [{ message: 'Retry-After: 30' }, 30_000],
  [{ message: '429 ... retry_delay {\n  seconds: 53\n}\n' }, 53_000],
  [{ retry_delay: { seconds: 7 } }, 7_000],
  [{ retryDelay: { seconds: '7', nanos: 500_000_000 } }, 7_500],
  [{ retryDelay: '5s' }, 5_000],
  [{ details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '5s' }] }, 5_000],
  [{ estimated_time: 20.5 }, 20_500],
  [{ retryAfter: 3 }, 3_000],
  [{ retryAfterMs: 250 }, 250],
  [{ retry_after_seconds: '4' }, 4_000],
  [{ reset_in: '1m' }, 60_000],
  [{ wait_time: 9 }, 9_000],
  [{ message: 'Timed out after waiting 30 seconds' }, undefined],
  [{ message: '60 requests per 60 seconds' }, undefined],
  [{ message: 'no wait' }, undefined],
  [{ retry_delay: {} }, undefined],
  [{ retry_delay: { seconds: 'soon' } }, undefined],
])('errors: %o asks for a wait of %s ms', ([said, ms]) => {
  expect(waitSaid(said, (said as { message?: string }).message ?? '')).toBe(ms)
})

test('errors: a model that is loading says how long, and is busy until then', () => {
  const error = { error: 'Model mistralai/Mistral-7B is currently loading', estimated_time: 20 }
  expect(bandError(error)).toMatchObject({ code: 'upstream_busy', retryAfterMs: 20_000 })
})

// Roles

test.for([
  "Unexpected role 'system' after role 'user'",
  "Unexpected role 'assistant' after role 'system'",
  'invalid role: system',
  'invalid params, chat content has invalid message role: system (2013)',
  "Unknown role 'developer'",
  'Please use a valid role: user, model.',
  'Please ensure that multiturn requests alternate between user and model.',
  'only one system message is allowed',
  'There can be only one system message',
  'Multiple system messages are not supported',
  'System message must be at the beginning.',
  'System message must be the first message',
  'The system prompt should be first',
  "'system' role must be at the start of the conversation",
  'System messages are only allowed at the start of the conversation',
  'Only the first message can be a system message',
  'roles must alternate between "user" and "assistant"',
  'messages must alternate between user and assistant',
  'Conversation roles must alternate user/assistant/user/assistant/...',
  'role must be user or assistant',
  'messages: first message must use the "user" role',
  'A conversation must start with a user message. Try again.',
  'does not accept the system role',
  '该模型不支持 system 角色',
  '系统消息必须在第一条',
])('plain history: "%s" refuses the roles', (said) => {
  expect(refusesRoles(`HTTP 400: ${JSON.stringify({ error: { message: said } })}`)).toBe(true)
})

test.for([
  "Unexpected role 'user' after role 'tool'",
  "Invalid value: 'x'. Supported values are: 'system', 'assistant', 'user'.",
  'role must be user, assistant or system',
  'the file system is full',
  'invalid role: owner',
])('plain history: "%s" refuses no role that can be done without', (said) => {
  expect(refusesRoles(`HTTP 400: ${JSON.stringify({ error: { message: said } })}`)).toBe(false)
})

// The reason of a server behind a proxy

test.for<[unknown, unknown, string]>([
  [null, 'stop', 'stop'],
  [undefined, 'MAX_TOKENS', 'length'],
  ['stop', 'end_turn', 'stop'],
  ['stop', 'completed', 'stop'],
  ['stop', 'MAX_TOKENS', 'length'],
  ['stop', 'REASON_MAX_LEN', 'length'],
  ['stop', 'SAFETY', 'upstream_rejected'],
  ['stop', 'MALFORMED_FUNCTION_CALL', 'upstream_malformed'],
  ['stop', 'network_error', 'upstream_incomplete'],
  ['stop', 'reason_of_tomorrow', 'stop'],
  ['stop', 7, 'stop'],
  ['stop', null, 'stop'],
  ['stop', 'tool_use', 'stop'],
  ['tool_calls', 'STOP', 'tool_calls'],
  ['length', 'stop', 'length'],
  ['error', 'stop', 'upstream_failed'],
  ['content_filter', 'stop', 'upstream_rejected'],
  [null, 'reason_of_tomorrow', 'upstream_incomplete'],
  [null, null, ''],
])(
  'finish reasons: %s, which the server behind the proxy calls %s, is %s',
  ([finish_reason, native_finish_reason, meaning]) => {
    const ending = endingOf(reasonIn([{ finish_reason, native_finish_reason }]))
    expect(ending === undefined ? '' : 'error' in ending ? ending.error.code : ending.finish).toBe(meaning)
  },
)

// Hostile

test.for([
  'retry ',
  'wait ',
  'retry-after',
  'retry_delay {',
  'out of a_',
  'no available ',
  'exceed the ',
  'system ',
  'unexpected role ',
  'role must be user ',
  'tokens + ',
  '系统 不支持',
  '1m',
  "'",
  '\n',
])('errors: a megabyte of "%s" is one error, wherever words are looked for', (piece) => {
  const message = piece.repeat(Math.ceil(1_048_576 / piece.length))
  expect(bandError({ error: { message, code: message, type: message } }).code).toMatch(/^upstream_/)
  for (const look of [refusesRoles, wantsThinking]) expect(typeof look(message)).toBe('boolean')
  waitSaid({ [message]: 1, message }, message)
  reasonIn([{ finish_reason: message, native_finish_reason: message }])
  const frame = JSON.stringify({ choices: [], error: { message, [message]: 1 } })
  expect(createOpenAiDecoder({ maxChars: 8_388_608 }).push(utf8(`data: ${frame}\n\n`))).toMatchObject([{ error: {} }])
})
