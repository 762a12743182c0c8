import { expect, test } from 'vitest'
import { httpError } from '../src/upstream/http/http.ts'
import { bandError } from '../src/upstream/openai/errors.ts'
import type { ChatError } from '../src/wire/errors.ts'

const now = Date.UTC(2026, 10, 22, 12, 0, 0)
function failed(status: number, headers: Readonly<Record<string, string>> = {}, said = ''): ChatError {
  return httpError({ status, header: (name) => headers[name] }, said, 'm', now)
}

test.for<[Record<string, string>, number | undefined]>([
  [{}, undefined],
  [{ 'retry-after': '20' }, 20_000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '-3' }, 0],
  [{ 'retry-after': 'Sun, 22 Nov 2026 12:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Sun, 22 Nov 2026 11:00:00 GMT' }, 0],
  [{ 'retry-after-ms': '1500' }, 1_500],
  [{ 'retry-after-ms': '1500', 'retry-after': '20' }, 1_500],
  [{ 'retry-after-ms': 'x', 'retry-after': '20' }, 20_000],
  [{ 'retry-after': 'soon 5' }, undefined],
  [{ 'retry-after': 'tomorrow GMT' }, undefined],
  [{ 'retry-after': '1e9' }, undefined],
  [{ 'retry-after': '' }, undefined],
  // No wait, but nonsense.
  [{ 'retry-after': '2592000' }, 2_592_000_000],
  [{ 'retry-after': '2592001' }, undefined],
  [{ 'retry-after': '999999999999999' }, undefined],
  [{ 'retry-after-ms': '2592000001' }, undefined],
  [{ 'retry-after': 'Wed, 21 Oct 2099 07:28:00 GMT' }, undefined],
])('http: headers %o say to wait %s ms', ([headers, ms]) => {
  for (const status of [429, 503, 529, 500]) expect(failed(status, headers).retryAfterMs).toBe(ms)
})

test.for<[number, string, string, boolean]>([
  [400, '', 'upstream_rejected', false],
  [404, '{"error":"model \'qwen3\' not found"}', 'upstream_model_missing', false],
  [404, '{"error":{"message":"File Not Found","type":"not_found_error","code":404}}', 'upstream_rejected', false],
  [404, '404 page not found', 'upstream_rejected', false],
  [404, '', 'upstream_rejected', false],
  [408, '', 'upstream_unreachable', true],
  [429, '', 'upstream_busy', true],
  [502, '', 'upstream_unreachable', true],
  [503, '', 'upstream_busy', true],
  [529, '{"type":"error","error":{"type":"overloaded_error"}}', 'upstream_busy', true],
  [500, '{"error":"out of memory"}', 'upstream_failed', true],
  [500, '{"error":"an error was encountered while running the model: unexpected EOF"}', 'upstream_crashed', true],
  [500, '{"error":"llama runner process has terminated: signal: killed"}', 'upstream_crashed', true],
  [400, '{"error":"terminated"}', 'upstream_rejected', false],
  [
    429,
    '{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}',
    'upstream_unauthorized',
    false,
  ],
  [401, '', 'upstream_unauthorized', false],
  [402, '{"error":{"message":"Insufficient Balance"}}', 'upstream_unauthorized', false],
  [403, '{"error":{"type":"permission_error","message":"no"}}', 'upstream_unauthorized', false],
  [403, '{"error":{"message":"Your input was flagged"}}', 'upstream_rejected', false],
  [422, '{"detail":[{"input":"what is an authentication_error?"}]}', 'upstream_rejected', false],
  [500, '{"error":{"message":"the request exceeds the available context size"}}', 'upstream_rejected', false],
  [429, 'too many tokens a minute for this context size', 'upstream_busy', true],
  [
    429,
    '{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000. The input or output tokens must be reduced in order to run successfully.","type":"tokens","code":"rate_limit_exceeded"}}',
    'upstream_rejected',
    false,
  ],
  [
    413,
    '{"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}',
    'upstream_rejected',
    false,
  ],
  [429, '{"error":{"message":"Please reduce the length of the messages."}}', 'upstream_rejected', false],
  [429, '{"error":{"message":"This model\'s maximum context length is 8192 tokens."}}', 'upstream_rejected', false],
  [
    429,
    '{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your rate limit of 40,000 input tokens per minute; please reduce the prompt length or the maximum tokens requested, or try again later."}}',
    'upstream_busy',
    true,
  ],
  [429, '{"message":"Too many tokens, please wait before trying again."}', 'upstream_busy', true],
  [503, '{"error":"busy; the last request was: request too large"}', 'upstream_busy', true],
  [403, '{"error":{"code":"model_not_found"}}', 'upstream_model_missing', false],
  [500, '{"error":{"message":"server busy"}}', 'upstream_busy', true],
  [500, '{"error":{"message":"the authentication service is away"}}', 'upstream_failed', true],
])('http: the status %i with %o is %s', ([status, said, code, retryable]) => {
  const error = failed(status, {}, said)
  expect(error).toMatchObject({ code, retryable, cause: `HTTP ${status}: ${said}` })
  if (said !== '') expect(error.message).not.toContain(said.slice(0, 10))
})

test('http: of an error that says a long prompt again only the beginning counts', () => {
  const prompt = 'engine authentication #404 model '.repeat(30_000)
  expect(bandError({ error: { message: `${prompt} crash` } })).toMatchObject({ code: 'upstream_failed' })
})

test('http: a dialect may have words that search the whole text', () => {
  const own = [[/credit/gi, 'upstream_unauthorized']] as const
  for (let i = 0; i < 3; i++) {
    expect(bandError({ error: 'Credit, credit' }, own)).toMatchObject({ code: 'upstream_unauthorized' })
  }
})

test.for<[number, string, string]>([
  [429, 'insufficient_quota', 'You exceeded your current quota'],
  [429, 'rate_limit_exceeded', 'slow down'],
  [400, 'context_length_exceeded', 'x'],
  [402, '', 'Insufficient Balance'],
  [401, 'authentication_error', 'no such key'],
  [404, '', 'the model "m" does not exist'],
  [404, '', 'File Not Found'],
  [408, '', 'timed out'],
  [422, '', 'terminated'],
  [500, '', 'unexpected EOF'],
  [503, '', 'Loading model'],
  [504, '', 'connection reset'],
])('http: the error %i %s %s means the same as a status and inside a stream', ([status, type, message]) => {
  const error = { code: status, type, message }
  const { code, retryable } = failed(status, {}, JSON.stringify({ error }))
  expect(bandError({ error })).toMatchObject({ code, retryable })
})
