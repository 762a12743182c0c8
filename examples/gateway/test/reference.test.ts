import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { editorSchema } from '../src/config/editor-schema.ts'
import { loadConfig } from '../src/config/load.ts'
import { referenceTable } from '../src/config/reference.ts'

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')

test('reference: config.schema.json is up to date (pnpm reference)', () => {
  expect(JSON.parse(read('config.schema.json'))).toEqual(JSON.parse(JSON.stringify(editorSchema())))
})

test('reference: the table of README.md is up to date (pnpm reference)', () => {
  expect(/<!-- reference -->\n\n(.*)\n\n<!-- \/reference -->/s.exec(read('README.md'))?.[1]).toBe(referenceTable())
})

test('reference: the file at the top of README.md is config.yaml, and is fine', () => {
  const shown = /```yaml\n(model:.*?)```/s.exec(read('README.md'))?.[1] ?? ''
  const [here, there] = [shown, read('config.yaml')].map((source) =>
    loadConfig(source, 'config.yaml', { environment: {}, folder: '/' }),
  )
  expect(here).toHaveProperty('config')
  expect(here).toEqual(there)
})
