import { expect, test } from 'vitest'
import { httpError } from '../src/upstream/http.ts'
import type { TransportResponse } from '../src/upstream/transport.ts'
import type { ChatError } from '../src/wire/errors.ts'
import { utf8 } from './support/bytes.ts'

const now = Date.UTC(2026, 10, 22, 12, 0, 0)
function failed(status: number, headers: Readonly<Record<string, string>> = {}, said = ''): Promise<ChatError> {
  const response: TransportResponse = {
    status,
    header: (name) => headers[name],
    body: (async function* () {
      yield utf8(said)
    })(),
  }
  return httpError(response, 'm', now)
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
])('http: headers %o say to wait %s ms', async ([headers, ms]) => {
  for (const status of [429, 503, 529, 500]) expect((await failed(status, headers)).retryAfterMs).toBe(ms)
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
])('http: the status %i with %o is %s', async ([status, said, code, retryable]) => {
  const error = await failed(status, {}, said)
  expect(error).toMatchObject({ code, retryable, cause: `HTTP ${status}: ${said}` })
  if (said !== '') expect(error.message).not.toContain(said.slice(0, 10))
})
