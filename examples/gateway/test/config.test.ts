import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import { temporaryFolder } from './support/program.ts'

const folder = import.meta.dirname
const ollama = 'model: { provider: ollama, model_name: m }\n'

function problemsOf(source: string, environment: Record<string, string> = {}): readonly string[] {
  const loaded = loadConfig(source, 'c.yaml', { environment, folder })
  return 'problems' in loaded ? loaded.problems : []
}

test('config: the example file is fine as it is, and everything else has its default', () => {
  const source = readFileSync(new URL('../config.yaml', import.meta.url), 'utf8')
  expect(loadConfig(source, 'config.yaml', { environment: {}, folder })).toMatchObject({
    config: {
      model: { provider: 'ollama', endpoint: 'http://127.0.0.1:11434', model_name: 'qwen3:32b' },
      server: {
        port: 18_789,
        host: '0.0.0.0',
        base_path: '/api/chat',
        cors_allowed_origins: ['*'],
        trust_proxy: false,
      },
      logging: { level: 'info' },
      fuse: { stall_ms: 30_000, first_delta_ms: 300_000 },
      limits: { runs: 1_000 },
    },
  })
})

test('config: a model server is all that a file needs, also as JSON', () => {
  expect(problemsOf(ollama)).toEqual([])
  expect(problemsOf('{"model":{"provider":"ollama","model_name":"m"}}')).toEqual([])
})

test.each<[what: string, source: string, problems: readonly string[]]>([
  [
    'nothing',
    '',
    ['1:1: model: is missing; name a model server by provider and model_name (or several, under models)'],
  ],
  ['a list', '- a\n', ['1:1: the file: must be a section of its own, got a list']],
  [
    'what is not YAML',
    'model:\n  provider: ollama\n provider: x\n',
    ['3:1: not YAML: All mapping items must start at the same column'],
  ],
  ['a key twice', 'logging: {}\nlogging: {}\n', ['2:1: not YAML: "logging" is there twice']],
  ['a key twice in a section', 'model: { "a": 1, a: 2 }\n', ['1:18: not YAML: "a" is there twice']],
  [
    'two documents',
    `${ollama}---\nlogging: {}\n`,
    ['2:1: not YAML: a file is one document, and this --- begins another one'],
  ],
  [
    'a variable without its quotes in braces',
    'model: { provider: ollama, model_name: m, api_key: ${K}, headers: { x-a: ${A} } }\nlogging: {}\n',
    [
      '1:52: not YAML: inside { } and [ ] a variable needs quotes: "${K}"',
      '1:74: not YAML: inside { } and [ ] a variable needs quotes: "${A}"',
    ],
  ],
  [
    'a variable without its quotes in brackets',
    `${ollama}server:\n  allowed_hosts: [a.\${K}]\n`,
    ['3:21: not YAML: inside { } and [ ] a variable needs quotes: "${K}"'],
  ],
  [
    'an alias of nothing',
    'model: *server\n',
    [
      '1:8: not YAML: this alias (*) stands for nothing: there is no anchor (&) of its name above it; a plain * needs quotes',
    ],
  ],
  [
    'a section that holds itself',
    'model: &m { provider: vllm, model_name: m, body: *m }\n',
    [
      '1:50: not YAML: this alias (*) stands for nothing: there is no anchor (&) of its name above it; a plain * needs quotes',
    ],
  ],
  ['a nest without end', `a: ${'['.repeat(20_000)}`, [expect.stringMatching(/^1:\d+: not YAML: nested too deep$/)]],
  [
    'aliases that multiply',
    [
      'a: &a [x]',
      ...'bcdefgh'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]},`.repeat(9)}]`),
    ].join('\n'),
    ['1:1: not YAML: its aliases make too much of it'],
  ],
  [
    'a key that every object has',
    `${ollama}constructor: 1\n`,
    [expect.stringMatching(/^2:1: constructor: there is no such key; /)],
  ],
  [
    'a value that every object has',
    'model: { provider: constructor, model_name: m }\n',
    [expect.stringMatching(/^1:20: model.provider: must be one of .*, got text$/)],
  ],
  [
    'a variable that every object has',
    'model: { provider: ollama, model_name: "${constructor}" }\n',
    ['1:40: model.model_name: the environment has no variable constructor: set it before the start'],
  ],
  [
    'a key with a slip',
    `${ollama}server:\n  prot: 1\n`,
    ['3:3: server.prot: there is no such key; did you mean "port"?'],
  ],
  [
    'a key as core spells it',
    `${ollama}fuse:\n  stallMs: 1\n`,
    ['3:3: fuse.stallMs: there is no such key; did you mean "stall_ms"?'],
  ],
  [
    'a key without its unit',
    `${ollama}fuse: { first_delta: 1 }\n`,
    ['2:9: fuse.first_delta: there is no such key; did you mean "first_delta_ms"?'],
  ],
  [
    'a key that is cut short',
    `${ollama}server: { cors: ["*"] }\n`,
    ['2:11: server.cors: there is no such key; did you mean "cors_allowed_origins"?'],
  ],
  [
    'a key with more than its name',
    `${ollama}limits: { max_runs: 3 }\n`,
    ['2:11: limits.max_runs: there is no such key; did you mean "runs"?'],
  ],
  [
    'a key as others call it',
    'model: { provider: ollama, model_name: m, base_url: x }\n',
    ['1:43: model.base_url: there is no such key; did you mean "endpoint"?'],
  ],
  [
    'a key of another section',
    `${ollama}stall_ms: 1\n`,
    ['2:1: stall_ms: there is no such key; stall_ms belongs under fuse'],
  ],
  [
    'a key that is like no other',
    `${ollama}logging: { colour: red }\n`,
    ['2:12: logging.colour: there is no such key; logging has level'],
  ],
  [
    'an unknown provider',
    'model: { provider: olama, model_name: m }\n',
    [
      '1:20: model.provider: must be one of ollama, anthropic, openai, llamacpp, vllm, sglang, lmstudio, deepseek, dashscope, mistral, openrouter, ollama_openai, got "olama"; did you mean "ollama"?',
    ],
  ],
  [
    'a section without what it must have',
    'model:\n  provider: ollama\n',
    ['1:1: model.model_name: is missing; it must be text'],
  ],
  ['a scalar for a section', 'model: qwen3\n', ['1:8: model: must be a section of its own, got text']],
  ['a text for a number', `${ollama}server: { port: http }\n`, ['2:17: server.port: must be a number, got text']],
  ['a number too large', `${ollama}server: { port: 70000 }\n`, ['2:17: server.port: must be 65535 or less, got 70000']],
  ['a number too small', `${ollama}limits: { runs: 0 }\n`, ['2:17: limits.runs: must be 1 or more, got 0']],
  [
    'a time too long for a timer',
    `${ollama}fuse: { max_run_ms: 9999999999 }\n`,
    ['2:21: fuse.max_run_ms: must be 2147483647 or less, got 9999999999'],
  ],
  ['half a number', `${ollama}limits: { runs: 1.5 }\n`, ['2:17: limits.runs: must be a whole number, got 1.5']],
  ['no value', `${ollama}server: { port: }\n`, ['2:17: server.port: must be a number, got nothing']],
  [
    'one text for a list',
    `${ollama}server: { cors_allowed_origins: "*" }\n`,
    ['2:33: server.cors_allowed_origins: must be a list, got "*"; write ["*"]'],
  ],
  [
    'an origin with a slash at its end',
    `${ollama}server: { cors_allowed_origins: [https://a.example/] }\n`,
    [
      '2:34: server.cors_allowed_origins[0]: must be an origin such as https://app.example or capacitor://localhost (no path, no slash at the end, no * in it), or "*"',
    ],
  ],
  [
    'an origin with a star in it, which no browser sends',
    `${ollama}server: { cors_allowed_origins: ["http://*.a.example"] }\n`,
    [
      '2:34: server.cors_allowed_origins[0]: must be an origin such as https://app.example or capacitor://localhost (no path, no slash at the end, no * in it), or "*"',
    ],
  ],
  [
    'a host with a scheme',
    `${ollama}server: { allowed_hosts: [http://a.example] }\n`,
    [
      '2:27: server.allowed_hosts[0]: must be a host as a browser sends it, such as chat.example or localhost:18789 (no scheme, no path)',
    ],
  ],
  [
    'an endpoint without a scheme',
    'model: { provider: ollama, model_name: m, endpoint: "127.0.0.1:11434" }\n',
    ['1:53: model.endpoint: must be an http(s) URL without user, query or fragment, such as http://127.0.0.1:11434'],
  ],
  [
    'an endpoint with a key in it',
    'model: { provider: ollama, model_name: m, endpoint: "http://me:pass@gpu:11434" }\n',
    ['1:53: model.endpoint: must be an http(s) URL without user, query or fragment, such as http://127.0.0.1:11434'],
  ],
  [
    'an endpoint that goes too far',
    'model: { provider: vllm, model_name: m, endpoint: "http://gpu/v1/chat/completions" }\n',
    ['1:51: model.endpoint: must end before /chat/completions, which is added'],
  ],
  [
    "an endpoint of OpenAI's wire for Ollama's own",
    'model: { provider: ollama, model_name: m, endpoint: "http://127.0.0.1:11434/v1/" }\n',
    ['1:53: model.endpoint: must be without /v1 for provider ollama; with it, the provider is ollama_openai'],
  ],
  [
    'headers that frame a request',
    'model: { provider: ollama, model_name: m, headers: { Host: a, X-Team: b, Content-Length: "5" } }\n',
    [
      '1:54: model.headers.Host: belongs to the connection, and is set by this program alone',
      '1:74: model.headers.Content-Length: belongs to the connection, and is set by this program alone',
    ],
  ],
  [
    'a wait that is longer than a run',
    `${ollama}fuse: { max_run_ms: 1000, first_delta_ms: 300000, stall_ms: 1000, tool_stall_ms: 1001 }\n`,
    [
      '2:43: fuse.first_delta_ms: must be at most fuse.max_run_ms (1000), which would always be first',
      '2:82: fuse.tool_stall_ms: must be at most fuse.max_run_ms (1000), which would always be first',
    ],
  ],
  [
    'more runs of one client than of all',
    `${ollama}limits: { client_runs: 20, runs: 10 }\n`,
    ['2:24: limits.client_runs: must be at most limits.runs (10), which would always be first'],
  ],
  [
    'a switch where there is none',
    `${ollama}recovery: true\n`,
    ['2:11: recovery: must be a section of its own or false, got true'],
  ],
  [
    'too many proxies',
    `${ollama}server: { trust_proxy: 99 }\n`,
    ['2:24: server.trust_proxy: must be 16 or less, got 99'],
  ],
  [
    'no server to fall back to',
    `models: { fast: { provider: ollama, model_name: m } }\nfallback: [fats]\n`,
    ['2:12: fallback[0]: must be a name of models; did you mean "fast"?'],
  ],
  [
    'a server to fall back to that is not whole',
    `${ollama}fallback:\n  - provider: ollama\n`,
    ['3:5: fallback[0].model_name: is missing; it must be text'],
  ],
  [
    'one model server and several',
    `${ollama}models: { fast: { provider: ollama, model_name: m } }\n`,
    ['2:1: models: cannot go with model: name one model server, or several'],
  ],
  [
    'names of one server that has a stand-in',
    'model: { provider: ollama, model_name: m, allowed_models: [n] }\nfallback: [{ provider: ollama, model_name: o }]\n',
    [
      '1:43: model.allowed_models: cannot go with fallback, where each server is asked for its own model; give each a name under models instead',
    ],
  ],
  [
    'fields that a provider does not take',
    'model: { provider: ollama, model_name: m, body: { a: 1 }, max_tokens: 9 }\n',
    [
      '1:43: model.body: is not for provider ollama',
      '1:59: model.max_tokens: is for provider anthropic only; others take it as `body: { max_tokens: … }`',
    ],
  ],
  [
    'a hosted service without a key',
    'model: { provider: deepseek, model_name: m }\n',
    [
      '1:1: model.api_key: is missing, as is DEEPSEEK_API_KEY in the environment: api.deepseek.com answers nobody without one',
    ],
  ],
  [
    'every origin, and secrets',
    `${ollama}server: { cors_allowed_origins: ["*"] }\nauth: { secret: 0123456789abcdef }\n`,
    [
      '2:33: server.cors_allowed_origins: "*" cannot go with auth: name the origins of the pages that may send credentials',
    ],
  ],
  [
    'a short secret, which is not shown',
    `${ollama}auth: { secret: hush }\n`,
    ['2:17: auth.secret: must be 16 or more characters without spaces: `openssl rand -hex 32` makes a good one'],
  ],
  [
    'a secret that is no text, which is not shown',
    `${ollama}auth: { secret: 1234 }\n`,
    ['2:17: auth.secret: must be text, got a number'],
  ],
  [
    'nobody who may chat',
    `${ollama}auth: {}\n`,
    ['2:1: auth: must have a secret or tokens; without auth everybody may chat'],
  ],
  [
    'two owners with one token',
    `${ollama}auth: { tokens: { ann: 0123456789abcdef, bob: 0123456789abcdef } }\n`,
    ['2:47: auth.tokens.…: must not be the token of another owner'],
  ],
  [
    'a secret and tokens',
    `${ollama}auth: { secret: 0123456789abcdef, tokens: { ann: fedcba9876543210 } }\n`,
    ['2:9: auth.secret: cannot go with tokens: one secret for everybody, or a token for each owner'],
  ],
  [
    'one token for figures and for chats',
    `${ollama}auth: { secret: 0123456789abcdef }\nmetrics: { token: 0123456789abcdef }\n`,
    ['3:19: metrics.token: must be another one than those of auth: who reads figures need not chat'],
  ],
  [
    'pings that never come',
    `${ollama}heartbeat: { interval_ms: 300000 }\n`,
    ['2:27: heartbeat.interval_ms: must be less than fuse.first_delta_ms (300000), or no ping ever comes'],
  ],
  [
    'pings that overtake text',
    `${ollama}coalesce: { window_ms: 5000 }\n`,
    ['2:24: coalesce.window_ms: must be less than heartbeat.interval_ms (5000), or pings overtake text'],
  ],
  [
    'a head that may take longer than the whole',
    `${ollama}limits: { header_ms: 40000 }\n`,
    ['2:22: limits.header_ms: must be at most limits.request_ms (30000): the head is a part of it'],
  ],
  [
    'a chat where something else is',
    `${ollama}server: { base_path: /metrics }\n`,
    ['2:22: server.base_path: must not be /metrics, which has a meaning of its own'],
  ],
  [
    'a folder that is not there',
    `${ollama}server: { static: nowhere }\n`,
    ['2:19: server.static: must be a folder that is there; one that is not absolute is looked for beside this file'],
  ],
  [
    'a variable that is not set',
    'model:\n  provider: ollama\n  model_name: m\n  api_key: ${NOPE}\n',
    ['4:12: model.api_key: the environment has no variable NOPE: set it before the start'],
  ],
  [
    'a variable with a default',
    `${ollama}chat: { system_prompt: "\${A:-b}" }\n`,
    [
      '2:24: chat.system_prompt: between ${ and } stands the name of a variable of the environment, and nothing else; a plain ${ is written $${',
    ],
  ],
])('config: refuses %s', (_what, source, problems) => {
  expect(problemsOf(source).map((problem) => problem.replace(/^c\.yaml:/, ''))).toEqual(problems)
})

test('config: tells everything that is wrong at once, in the order of the lines', () => {
  const source = `
model:
  provider: olama
  model_nme: m
server:
  port: -1
  static: nowhere
heartbeat: { interval_ms: 400000 }
auth: { tokens: { ann: short } }
levle: 3
`
  expect(problemsOf(source).map((problem) => problem.split(': ').slice(0, 2).join(' '))).toEqual([
    'c.yaml:2:1 model.model_name',
    'c.yaml:3:13 model.provider',
    'c.yaml:4:3 model.model_nme',
    'c.yaml:6:9 server.port',
    'c.yaml:7:11 server.static',
    'c.yaml:8:27 heartbeat.interval_ms',
    'c.yaml:9:24 auth.tokens.…',
    'c.yaml:10:1 levle',
  ])
})

test('config: a variable is put into values, and not into keys', () => {
  const source = 'model: { provider: ollama, model_name: m, headers: { "${A}": x } }\n'
  expect(problemsOf(source, { A: 'b' })).toEqual([
    'c.yaml:1:54: model.headers.${A}: this name must be the name of a header',
  ])
})

test('config: a variable may be a part of a text, a number, and is a plain text after $', () => {
  const source = `
model: { provider: ollama, model_name: "\${NAME}:32b", api_key: "\${KEY}" }
server: { port: "\${PORT}" }
chat: { system_prompt: "say $\${NAME}" }
`
  const environment = { NAME: 'qwen3', KEY: '123456', PORT: '80' }
  expect(loadConfig(source, 'c.yaml', { environment, folder })).toMatchObject({
    config: {
      model: { model_name: 'qwen3:32b', api_key: '123456' },
      server: { port: 80 },
      chat: { system_prompt: 'say ${NAME}' },
    },
  })
})

test('config: what a variable holds is YAML no more', () => {
  const loaded = loadConfig(`${ollama}chat: { system_prompt: "\${A}" }`, 'c.yaml', {
    environment: { A: 'x }\nlogging: { level: debug }' },
    folder,
  })
  expect(loaded).toMatchObject({ config: { logging: { level: 'info' } } })
})

test('config: what came from the environment is never shown', () => {
  const source = `${ollama}server: { port: "\${A}", host: "\${EMPTY}" }\nlogging: { level: "\${A}" }\n`
  const problems = problemsOf(source, { A: 'hush-hush', EMPTY: '' })
  expect(problems).toEqual([
    'c.yaml:2:17: server.port: must be a number, got text',
    'c.yaml:2:31: server.host: the environment has no variable EMPTY (it is empty): set it before the start',
    'c.yaml:3:19: logging.level: must be one of debug, info, warn, error, silent, got text',
  ])
})

test("config: a bound that the file does not name is nobody's contradiction", () => {
  expect(problemsOf(`${ollama}fuse: { max_run_ms: 1000 }\nlimits: { client_runs: 2000 }\n`)).toEqual([])
  expect(problemsOf(`${ollama}fuse: { max_run_ms: no, first_delta_ms: 9000000 }\n`)).toEqual([
    'c.yaml:2:21: fuse.max_run_ms: must be a number, got "no"',
  ])
})

test.each([
  ['beside the site', 'config.yaml', 'site', true],
  ['in the folder that is served', 'site/config.yaml', '.', false],
  ['below it', 'site/below/config.yaml', '..', false],
  ['in it by a link to the folder', 'site/config.yaml', '../link', false],
  ['in it by a link to the file', 'linked.yaml', 'site', false],
  ['as a link in it', 'site/outside.yaml', '.', false],
  ['beside a folder of a like name', 'site-2/config.yaml', '../site', true],
])('config: a file with keys is not published: %s', (_where, path, served, isFine) => {
  const root = temporaryFolder({ 'real.yaml': '' })
  for (const name of ['site', 'site/below', 'site-2']) mkdirSync(join(root, name))
  symlinkSync(join(root, 'site'), join(root, 'link'))
  symlinkSync(join(root, 'site', 'config.yaml'), join(root, 'linked.yaml'))
  symlinkSync(join(root, 'real.yaml'), join(root, 'site', 'outside.yaml'))
  writeFileSync(join(root, 'site', 'config.yaml'), '')
  const file = join(root, path)
  const source = `${ollama}server: { static: ${served} }\n`
  const loaded = loadConfig(source, file, { environment: {}, folder: dirname(file) })
  expect('problems' in loaded ? loaded.problems : []).toEqual(
    isFine
      ? []
      : [`${file}:2:19: server.static: must not hold this file, which would be published with all that is in it`],
  )
})

test('config: the folder of the program itself is no site', () => {
  expect(problemsOf(`${ollama}server: { static: ${dirname(process.execPath)} }\n`)).toEqual([
    'c.yaml:2:19: server.static: must not hold the program itself: give the site a folder of its own',
  ])
})

test('config: a hosted service takes its key from the environment', () => {
  const source = 'model: { provider: deepseek, model_name: m }\n'
  expect(problemsOf(source, { DEEPSEEK_API_KEY: 'k' })).toEqual([])
  expect(problemsOf(`${source.slice(0, -3)}, endpoint: "http://127.0.0.1:9/v1" }`)).toEqual([])
})

test('config: anchors stand for what they name, and problems point at it', () => {
  const source = `
models:
  a: &server { provider: ollama, model_name: m, endpoint: nowhere }
  b: *server
`
  expect(problemsOf(source).map((problem) => problem.split(': ')[0])).toEqual(['c.yaml:3:59', 'c.yaml:3:59'])
})
