import type { GatewayOptions } from '@midstream/core/gateway'
import type { Route } from '@midstream/core/upstream'
import { expect, test } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import type { Config } from '../src/config/config.ts'
import { jsonSchema, keysAt } from '../src/config/outline.ts'
import { providers } from '../src/config/providers.ts'
import { toGatewayOptions, toUpstream } from '../src/config/to-options.ts'
import { startFakeOllama } from './support/fake-ollama.ts'
import { ask, startRecorder } from './support/recorder.ts'

const environment = Object.fromEntries(
  ['ANTHROPIC', 'OPENAI', 'DEEPSEEK', 'DASHSCOPE', 'MISTRAL', 'OPENROUTER'].map((name) => [`${name}_API_KEY`, 'k']),
)

function read(source: string): Config {
  const loaded = loadConfig(source, 'c.yaml', { environment, folder: import.meta.dirname })
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'))
  return loaded.config
}

function optionsOf(source: string): GatewayOptions {
  return toGatewayOptions(read(`model: { provider: ollama, model_name: m }\n${source}\n`))
}

/** By key: what the file says, and what of the gateway's options it becomes. */
const reaches: readonly (readonly [key: string, value: string, options: Partial<GatewayOptions>])[] = [
  ['server.base_path', '/chat', { basePath: '/chat' }],
  ['server.cors_allowed_origins', '["https://a.example"]', { allowedOrigins: ['https://a.example'] }],
  ['server.cors_allowed_headers', '[X-Tenant]', { allowedHeaders: ['X-Tenant'] }],
  ['limits.runs', '7', { limits: { runs: 7 } }],
  ['limits.client_runs', '7', { limits: { clientRuns: 7 } }],
  ['limits.readers', '7', { limits: { readers: 7 } }],
  ['limits.body_bytes', '7', { limits: { bodyBytes: 7 } }],
  ['limits.messages', '7', { limits: { messages: 7 } }],
  ['chat.system_prompt', 'Be brief.', { system: 'Be brief.' }],
  ['chat.interrupted_note', 'cut', { interruptedNote: 'cut' }],
  ['chat.interrupted_note', 'false', { interruptedNote: false }],
  ['chat.request_options', '[seed]', { requestOptions: ['seed'] }],
  ['chat.request_tools', 'true', { requestTools: true }],
  ['chat.request_think', 'true', { requestThink: true }],
  ['limits.unread_ms', '7', { limits: { unreadMs: 7 } }],
  ['chat.orphan_ms', '7', { orphanMs: 7 }],
  ['coalesce.window_ms', '7', { coalesce: { windowMs: 7 } }],
  ['heartbeat.interval_ms', '700', { heartbeat: { intervalMs: 700 } }],
  ['fuse.malformed', '7', { fuse: { malformed: 7 } }],
  ['fuse.stall_ms', '7', { fuse: { stallMs: 7 } }],
  ['fuse.tool_stall_ms', '7', { fuse: { toolStallMs: 7 } }],
  ['fuse.progress_ms', '7', { fuse: { progressMs: 7 } }],
  ['fuse.first_delta_ms', '7000', { fuse: { firstDeltaMs: 7_000 } }],
  ['fuse.max_bytes', '7', { fuse: { maxBytes: 7 } }],
  ['fuse.max_run_ms', '7', { fuse: { maxRunMs: 7 } }],
  ['recovery.max_attempts', '7', { recovery: { maxAttempts: 7 } }],
  ['recovery.max_wait_ms', '7', { recovery: { maxWaitMs: 7 } }],
  ['recovery.failover_ms', '7', { recovery: { failoverMs: 7 } }],
  ['breaker.failures', '7', { breaker: { failures: 7 } }],
  ['breaker.probe_ms', '7', { breaker: { probeMs: 7 } }],
  ['sessions.max_idle', '7', { sessions: { maxIdle: 7 } }],
  ['sessions.max_idle_per_owner', '7', { sessions: { maxIdlePerOwner: 7 } }],
  ['sessions.idle_ms', '7', { sessions: { idleMs: 7 } }],
  ['keep.keep_run_ms', '7', { keep: { keepRunMs: 7 } }],
  ['keep.max_runs', '7', { keep: { maxRuns: 7 } }],
  ['keep.max_bytes', '7', { keep: { maxBytes: 7 } }],
]

/** Keys that are the program's own; the tests of the program have them. */
const own = new Set([
  'server.port',
  'server.host',
  'server.allowed_hosts',
  'server.static',
  'server.trust_proxy',
  'server.drain_ms',
  'limits.connections',
  'limits.header_ms',
  'limits.request_ms',
  'limits.idle_ms',
  'auth.secret',
  'auth.tokens',
  'metrics.token',
  'logging.level',
])

test.each(reaches)('options: %s: %s reaches the gateway', (key, value, expected) => {
  const [section, name] = key.split('.')
  expect(optionsOf(`${section}: { ${name}: ${value} }`)).toMatchObject(expected)
  expect(optionsOf('')).not.toMatchObject(expected)
})

test('options: there is no key without a test', () => {
  const schema = jsonSchema()
  const keys = Object.keys(schema.properties ?? {}).flatMap((section) =>
    section === 'model' ? [] : (keysAt(schema, [section]) ?? []).map((name) => `${section}.${name}`),
  )
  expect(keys.filter((key) => !own.has(key) && !reaches.some(([tested]) => tested === key))).toEqual([])
})

test('options: recovery and breaker can be switched off', () => {
  expect(optionsOf('recovery: false\nbreaker: false')).toMatchObject({ recovery: false, breaker: false })
})

const paths = { ollama: '/api/chat', anthropic: '/v1/messages' }

test.each(providers)('options: provider %s asks its server in its own way', async (provider) => {
  const { url, asked } = await startRecorder()
  const path = paths[provider as keyof typeof paths] ?? '/v1/chat/completions'
  const endpoint = path === '/v1/chat/completions' ? `${url}/v1` : url
  const config = read(`
model:
  provider: ${provider}
  endpoint: ${endpoint}
  model_name: some-model
  api_key: some-key
  headers: { x-team: red }
  ${provider === 'ollama' ? '' : 'body: { top_k: 3 }'}
  ${provider === 'anthropic' ? 'max_tokens: 77' : ''}
`)
  await ask(toUpstream(config.model!))
  const [request] = asked
  expect(request?.path).toBe(path)
  expect(request?.headers).toMatchObject({
    'x-team': 'red',
    ...(provider === 'anthropic' ? { 'x-api-key': 'some-key' } : { authorization: 'Bearer some-key' }),
  })
  expect(request?.body).toMatchObject({
    model: 'some-model',
    ...(provider !== 'ollama' && { top_k: 3 }),
    ...(provider === 'anthropic' && { max_tokens: 77 }),
  })
})

test('options: continue_instruction is what a server is asked by that cannot continue', async () => {
  const { url, asked } = await startRecorder()
  const model = `{ provider: openai, endpoint: "${url}/v1", model_name: m, continue_instruction: Go on. }`
  await ask(toUpstream(read(`model: ${model}`).model!), 'Once upon')
  expect(JSON.stringify(asked[0]?.body)).toContain('Go on.')
})

test('options: max_line_chars bounds a line of an answer', async () => {
  const fake = await startFakeOllama()
  const config = read(`model: { provider: ollama, endpoint: "${fake.url}", model_name: fake, max_line_chars: 2000 }`)
  const asked = ask(toUpstream(config.model!))
  const answer = await fake.next()
  answer.say('x'.repeat(2_000))
  expect(await asked).toMatchObject({ code: 'overflow' })
})

test('options: allowed_models are the names that a request may give', () => {
  const { models } = toGatewayOptions(read('model: { provider: ollama, model_name: m, allowed_models: [m, n] }'))
  expect(models).toEqual(['m', 'n'])
})

test('options: several models are a route, whose first is the default and whose fallback are the same servers', () => {
  const { upstream } = toGatewayOptions(
    read(`
models:
  fast: { provider: ollama, model_name: small }
  smart: { provider: anthropic, model_name: claude }
fallback:
  - fast
  - { provider: openai, model_name: gpt }
`),
  )
  const { model, models, fallback } = upstream as Route
  expect(model).toBe('fast')
  expect([...models].map(([name, one]) => [name, one.name, one.model])).toEqual([
    ['fast', 'ollama', 'small'],
    ['smart', 'anthropic', 'claude'],
  ])
  expect(fallback.map((one) => one.model)).toEqual(['small', 'gpt'])
  expect(fallback[0]).toBe(models.get('fast'))
})

test('options: one model may have a fallback', () => {
  const { upstream } = toGatewayOptions(
    read(`
model: { provider: ollama, model_name: m }
fallback: [{ provider: openai, model_name: gpt }]
`),
  )
  expect(upstream).toMatchObject({ model: 'm', fallback: [{ model: 'gpt' }] })
})
