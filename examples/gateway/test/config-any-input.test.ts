import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import { allKeys, jsonSchema } from '../src/config/outline.ts'

const schema = jsonSchema()
const known = [...Object.keys(schema.properties ?? {}), ...allKeys(schema).map(({ key }) => key), 'a']
const everywhere = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'prototype', 'length', '0', '', '<<']
const name = fc.oneof(fc.constantFrom(...known), fc.constantFrom(...everywhere), fc.string())

/** Flow YAML, so that a key may be what no literal of JavaScript makes a key: `__proto__`, one that is there twice, a list. */
const { node } = fc.letrec<{ node: string; section: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      name.map((text) => JSON.stringify(text)),
      fc.constantFrom('null', '~', '', 'true', 'false', '.nan', '-.inf', '0', '-1', '1.5', '1e99', '0x10', '18789'),
      fc.constantFrom('ollama', 'vllm', '*x', '&x a', '!!set { a }', '"${A}"', '"${toString}"', '"${__proto__}"'),
    ),
    fc.array(tie('node'), { maxLength: 4 }).map((items) => `[${items.join(', ')}]`),
    tie('section'),
  ),
  section: fc
    .array(
      fc.tuple(fc.oneof({ weight: 9, arbitrary: name.map((text) => JSON.stringify(text)) }, tie('node')), tie('node')),
      {
        maxLength: 5,
      },
    )
    .map((pairs) => `{ ${pairs.map(([key, value]) => `? ${key} : ${value}`).join(', ')} }`),
}))

const signs = fc.string({ unit: fc.constantFrom(...'{}[]:,-&*!|>?%@`"\'#~ \n\t$ax0'.split('')) })
const filed = fc
  .array(fc.tuple(fc.constantFrom(...known.slice(0, 20), ...everywhere), node))
  .map((pairs) => pairs.map(([key, value]) => `${JSON.stringify(key)}: ${value}\n`).join(''))

test.each<[what: string, sources: fc.Arbitrary<string>]>([
  ['any value', node],
  ['any section', filed],
  [
    'any value in a section of a file that is fine',
    fc
      .tuple(fc.constantFrom(...allKeys(schema)), node)
      .map(
        ([{ section, key }, value]) =>
          `model: { provider: ollama, model_name: m }\n${section === 'model' ? 'x' : section}: { ${key}: ${value} }\n`,
      ),
  ],
  ['any signs', signs],
])('config: %s is read, or refused with a place and words', (_what, sources) => {
  fc.assert(
    fc.property(sources, (source) => {
      const loaded = loadConfig(source, 'c.yaml', { environment: { A: '7' }, folder: import.meta.dirname })
      if ('config' in loaded) return
      expect(loaded.problems.length).toBeGreaterThan(0)
      for (const problem of loaded.problems) {
        expect(problem).toMatch(/^c\.yaml(:\d+:\d+)?: ./)
        expect(problem).not.toMatch(/\[native code\]|\[object |Cannot (read|convert)|is not a function/)
      }
    }),
    { numRuns: 200 },
  )
})
