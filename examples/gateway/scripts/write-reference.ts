// Writes what is made of the schema: config.schema.json for editors, and the table of README.md. A test says when it is due.
import { readFileSync, writeFileSync } from 'node:fs'
import { editorSchema } from '../src/config/editor-schema.ts'
import { referenceTable } from '../src/config/reference.ts'

const at = (name: string): URL => new URL(`../${name}`, import.meta.url)
writeFileSync(at('config.schema.json'), `${JSON.stringify(editorSchema(), null, 2)}\n`)
const readme = readFileSync(at('README.md'), 'utf8')
const table = `<!-- reference -->\n\n${referenceTable()}\n\n<!-- /reference -->`
writeFileSync(
  at('README.md'),
  readme.replace(/<!-- reference -->.*<!-- \/reference -->/s, () => table),
)
