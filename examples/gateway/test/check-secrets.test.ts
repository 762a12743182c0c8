import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import { allKeys, jsonSchema } from '../src/config/outline.ts'

const schema = jsonSchema()
const sections = Object.keys(schema.properties ?? {})
const model = 'model: { provider: openai, endpoint: "http://127.0.0.1:9/v1", model_name: m }\n'

/** What keys of such services look like; `S3CR3T` says that it is one. */
const secret = fc
  .tuple(
    fc.constantFrom('sk-S3CR3T', 'S3CR3T', 'ghp_S3CR3T', 'Bearer S3CR3T', '9S3CR3T'),
    fc.stringMatching(/^[A-Za-z0-9]{10,30}$/),
  )
  .map(([head, tail]) => head + tail)

const wrap: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => JSON.stringify(text),
  (text) => `[${JSON.stringify(text)}]`,
  (text) => `{ ${JSON.stringify(text)}: x }`,
  (text) => `{ x: ${JSON.stringify(text)} }`,
  (text) => `{ api_key: [${JSON.stringify(text)}] }`,
  (text) => JSON.stringify(`https://user:${text}@a.example/v1`),
  (text) => JSON.stringify(`https://a.example/v1?key=${text}`),
  (text) => JSON.stringify(`\${A:-${text}}`),
  (text) => `\${${text}}`,
  (text) => `"${text}`,
  (text) => `'${text}`,
  (text) => `*${text}`,
  (text) => `&${text} *${text}`,
  (text) => `!${text} x`,
  (text) => `[${text}`,
  (text) => `{ ${text}`,
  (text) => `x: ${text}: y`,
  (text) => `"\\q${text}"`,
  (text) => `@${text}`,
  (text) => `|${text}\n x`,
  (text) => `ollama${text}`,
  () => '"${SECRET}"',
  () => '["${SECRET}"]',
]
const places: readonly ((value: string, section: string, key: string) => string)[] = [
  (value, section) => `${section}: ${value}\n`,
  (value, section, key) => `${section}: { ${key}: ${value} }\n`,
  (value, section, key) => `${section}:\n  ${key}: ${value}\n`,
  (value) => `unknown: ${value}\n`,
  (value) => `- ${value}\n`,
  (value) => `${value}: x\n`,
  (value) => `${value}\n`,
  (value) => `auth: { tokens: { ${value}: ann } }\n`,
  (value) => `auth: { tokens: { ann: ${value}, bob: ${value} } }\n`,
  (value) => `model: { provider: openai, model_name: m, headers: { ${value}: x, authorization: ${value} } }\n`,
  (value) => `models: { ${value}: { provider: ${value}, model_name: 1 } }\nfallback: [${value}]\n`,
  (value) => `server: { static: ${value} }\n`,
  (value) => `server: { allowed_hosts: [${value}], cors_allowed_origins: ${value}, base_path: ${value} }\n`,
  (value) => `a: ${value}\na: ${value}\n`,
]

test('config: of a secret that stands in a wrong place, no problem says anything', () => {
  const section = fc.constantFrom(...sections)
  const key = fc.constantFrom(...allKeys(schema).map((entry) => entry.key))
  fc.assert(
    fc.property(
      secret,
      fc.constantFrom(...wrap),
      fc.constantFrom(...places),
      section,
      key,
      fc.boolean(),
      (...given) => {
        const [text, wrapped, placed, inSection, atKey, isWhole] = given
        const source = (isWhole ? model : '') + placed(wrapped(text), inSection, atKey)
        const loaded = loadConfig(source, 'c.yaml', { environment: { SECRET: text }, folder: import.meta.dirname })
        if ('problems' in loaded) expect(loaded.problems.join('\n')).not.toContain('S3CR3T')
      },
    ),
    { numRuns: 1_500 },
  )
}, 60_000)

test('config: a key that is a list or a section is printed nowhere', () => {
  const warned = vi.spyOn(process, 'emitWarning')
  for (const key of ['{ api_key: S3CR3T }', '[S3CR3T]']) {
    const source = `${model}server:\n  ? ${key}\n  : x\n`
    const loaded = loadConfig(source, 'c.yaml', { environment: {}, folder: import.meta.dirname })
    expect('problems' in loaded && loaded.problems.join('\n')).not.toContain('S3CR3T')
  }
  expect(warned).not.toHaveBeenCalled()
})

test.each([
  ['a slip of a word', 'model: { provider: olama, model_name: m }\n', 'got "olama"; did you mean "ollama"?'],
  ['a word with a secret behind it', 'model: { provider: ollamaS3CR3T, model_name: m }\n', 'got text'],
  ['a number where none belongs', `${model}auth: 12345678901\n`, 'must be a section of its own, got a number'],
  ['a number out of its bounds', `${model}server: { port: 70000 }\n`, 'got 70000'],
  ['a sign', `${model}server: { cors_allowed_origins: "*" }\n`, 'write ["*"]'],
  ['an unknown key', `${model}colour: red\n`, 'colour: there is no such key'],
  ['an unknown key that is no word', `${model}hunter2: red\n`, '…: there is no such key'],
])('config: shows of %s what it may', (_what, source, message) => {
  const loaded = loadConfig(source, 'c.yaml', { environment: {}, folder: import.meta.dirname })
  expect('problems' in loaded && loaded.problems.join('\n')).toContain(message)
})
