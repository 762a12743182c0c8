import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

/** Where things stand in the core: a folder imports only what stands before it, types included, and nothing goes round. */

const root = join(import.meta.dirname, '../../packages/core/src')
/** From the ground up. */
const floors = ['wire', 'upstream', 'pool', 'run', 'read', 'session', 'gateway', 'node', 'transforms', 'testing']
/** The same inside of `upstream/`; the dialects stand beside each other. */
const rooms = ['http', 'history', 'reply']
const dialects = new Set(['ollama', 'openai', 'anthropic'])
const maxLines = 250

// Entries only hand names on.
const isLeftOut = (file: string): boolean => /(?:^|\/)index\.ts$/.test(file)
const files = globSync('**/*.ts', { cwd: root })
  .filter((file) => !isLeftOut(file))
  .toSorted()

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/^(?:import|export)\b[^'"]*?['"](\.[^'"]+)['"]/gm)]
    .map(([, path]) => join(dirname(file), path!))
    .filter((path) => !isLeftOut(path))
}
/** Files of no folder, such as the clock, stand below all. */
const floorOf = (file: string): number => (file.includes('/') ? floors.indexOf(file.split('/')[0]!) : -1)
const against = (isWrong: (file: string, imported: string) => boolean): string[] =>
  files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => isWrong(file, imported))
      .map((imported) => `${file} -> ${imported}`),
  )

test('floors: every folder is on one, and the imports are found', () => {
  expect(new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]))).toEqual(new Set(floors))
  expect(files.flatMap(importsOf).length).toBeGreaterThan(300)
  expect(importsOf('pool/targets.ts')).toContain('pool/breaker.ts')
})

test('floors: an entry only hands names on, and nothing imports one', () => {
  const entries = globSync('**/index.ts', { cwd: root })
  const isHandOn = (file: string): boolean =>
    !/^(?!\s*(?:export\b[^=(]*\bfrom\b|\/\/|\/\*|\*|$))/m.test(
      readFileSync(join(root, file), 'utf8').replaceAll(/export \{[^}]*\} from/g, 'export {} from'),
    )
  expect(entries.filter((file) => !isHandOn(file))).toEqual([])
  const importers = files.filter((file) => /from '\.[^']*\/index\.ts'/.test(readFileSync(join(root, file), 'utf8')))
  expect(importers).toEqual([])
})

test('floors: no import runs back up', () => {
  expect(against((file, imported) => floorOf(imported) > floorOf(file))).toEqual([])
})

test('floors: in upstream/, what dialects share knows no dialect, and Ollama and Anthropic know nothing of OpenAI’s', () => {
  const roomOf = (file: string): string => (file.startsWith('upstream/') ? (file.split('/')[1] ?? '') : '')
  const isWrong = (file: string, imported: string): boolean => {
    const [from, to] = [roomOf(file), roomOf(imported)]
    if (dialects.has(from)) return to === 'openai' && from !== 'openai'
    return rooms.includes(from) && (dialects.has(to) || rooms.indexOf(to) > rooms.indexOf(from))
  }
  expect(against(isWrong)).toEqual([])
})

test('floors: no import goes round', () => {
  const circles: string[] = []
  const done = new Set<string>()
  const walk = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) return void circles.push([...way.slice(way.indexOf(file)), file].join(' -> '))
    if (done.has(file)) return
    for (const imported of importsOf(file)) walk(imported, [...way, file])
    done.add(file)
  }
  for (const file of files) walk(file, [])
  expect(circles).toEqual([])
})

test(`floors: a file of more than ${maxLines} lines says first why`, () => {
  const long = globSync('**/*.ts', { cwd: root }).filter((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    return text.split('\n').length > maxLines + 1 && !/^(?:\/\/|\/\*\*?) Long: /.test(text)
  })
  expect(long).toEqual([])
})
