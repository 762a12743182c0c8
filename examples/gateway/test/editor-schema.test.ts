import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { editorSchema } from '../src/config/editor-schema.ts'
import { loadConfig } from '../src/config/load.ts'

const validate = new Ajv2020({ strict: false }).compile(editorSchema() as object)
const environment = { NANO_URL: 'http://127.0.0.1:9', PORT: '80', CHAT_PAGE: import.meta.dirname }
const ollama = 'model: { provider: ollama, model_name: m }\n'

/** What the editor says, and what the program. */
function judge(source: string, more: Record<string, string> = {}): readonly [editor: boolean, program: boolean] {
  const loaded = loadConfig(source, 'c.yaml', { environment: { ...environment, ...more }, folder: '/' })
  return [validate(parse(source)), 'config' in loaded]
}

test.each(['config.yaml', 'demo.yaml'])('editor schema: %s is fine for editors, too', (name) => {
  expect(judge(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'))).toEqual([true, true])
})

test.each<[source: string, more: Record<string, string>]>([
  [`${ollama}logging: { level: "\${A}" }`, { A: 'debug' }],
  [`${ollama}logging: { level: "de\${A}" }`, { A: 'bug' }],
  ['model: { provider: "${A}", model_name: m }', { A: 'ollama' }],
  [`${ollama}server: { port: "1\${A}", trust_proxy: "\${B}" }`, { A: '80', B: '2' }],
  [
    `${ollama}server: { cors_allowed_origins: ["\${A}"], base_path: "/v1/\${B}" }`,
    { A: 'http://a.example', B: 'chat' },
  ],
  [`${ollama}recovery: "\${A}"\nbreaker: "\${A}"\nchat: { interrupted_note: "\${A}" }`, { A: 'false' }],
  [`${ollama}auth: { tokens: { ann: "\${A}" } }\nlimits: { runs: 7 }`, { A: '0123456789abcdef' }],
  [
    'models: { a: { provider: ollama, model_name: m } }\nfallback: [a, { provider: "${A}", model_name: n }]',
    { A: 'ollama' },
  ],
])('editor schema: what the program takes is fine: %s', (source, more) => {
  expect(judge(source, more)).toEqual([true, true])
})

test.each([
  'model: { provider: olama, model_name: m }',
  'model: { provider: ollama }',
  `${ollama}logging: { level: loud }`,
  `${ollama}logging: { level: 3 }`,
  `${ollama}server: { prot: 1 }`,
  `${ollama}server: { port: http }`,
  `${ollama}server: { port: 70000 }`,
  `${ollama}recovery: true`,
  `${ollama}breaker: never`,
  `${ollama}auth: { secret: hush }`,
  `${ollama}fallback: []`,
])('editor schema: what the program refuses by itself is marked: %s', (source) => {
  expect(judge(source)).toEqual([false, false])
})
