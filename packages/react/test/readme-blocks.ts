import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const readme = join(import.meta.dirname, '../../../README.md')
const folder = join(import.meta.dirname, '.readme')

/**
 * Writes a code block of the README, named by its first line (`// file: NAME`), beside the tests and imports it: there,
 * the packages it imports can be found.
 */
export async function importBlock(name: string): Promise<Record<string, unknown>> {
  const blocks = (await readFile(readme, 'utf8')).split('```')
  const block = blocks.find((text) => text.includes(`\n// file: ${name}\n`))
  if (!block) throw new Error(`The README has no block named ${name}`)
  const file = join(folder, name)
  await mkdir(folder, { recursive: true })
  await writeFile(file, block.slice(block.indexOf('\n') + 1))
  return (await import(pathToFileURL(file).href)) as Record<string, unknown>
}
