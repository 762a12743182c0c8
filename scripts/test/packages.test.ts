import { startNano } from '@midstream/example-nano'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const names = ['core', 'client', 'react']
const tarballs = names.map((name) => join(root, `artifacts/packages/midstream-${name}.tgz`))
const ours = ['@midstream/client', '@midstream/core', '@midstream/react', 'eventsource-parser']
/** The oldest TypeScript that reads the types, and the one that made them. */
const oldest = '5.7'
const newest = (await readJson(join(root, 'package.json'))).devDependencies!['typescript']!
const happyDom = pathToFileURL(createRequire(join(root, 'packages/react/')).resolve('happy-dom')).href
const run = promisify(execFile)

interface Manifest {
  readonly version: string
  readonly exports: Readonly<Record<string, unknown>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly sideEffects?: boolean
  readonly publishConfig?: object
}
async function readJson(path: string): Promise<Manifest> {
  return JSON.parse(await readFile(path, 'utf8')) as Manifest
}

const folders: string[] = []
let nano: Awaited<ReturnType<typeof startNano>>
/** Where nothing but the packages and React is installed. */
let bare: Promise<string>

beforeAll(async () => {
  if (!tarballs.every((file) => existsSync(file))) throw new Error('Nothing is packed: run `npm run pack` first')
  bare = install('react@19')
  nano = await startNano({ tokensPerSecond: 200 })
})
afterAll(async () => {
  await nano.close()
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
})

/** An empty folder outside of the repository, into which npm installs the tarballs, as the README says, and what is named. */
async function install(...names: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'midstream-'))
  folders.push(folder)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
  // What npm sets for the scripts that it runs is not for this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(npm|pnpm)_/i.test(key)))
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  const [, where] = /^npm install \.\.\/midstream\/(\S+)/m.exec(await readFile(join(root, 'README.md'), 'utf8'))!
  const files = process.platform === 'win32' ? tarballs : [`'${root}'/${where}`]
  await run(['npm install', ...flags, ...files, ...names].join(' '), { cwd: folder, env, shell: true })
  return folder
}

/** What is installed, by name, with its size unpacked in bytes. */
async function installed(folder: string): Promise<Map<string, number>> {
  const lock = JSON.parse(await readFile(join(folder, 'node_modules/.package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, unknown>>
  }
  const sizes = Object.keys(lock.packages).map(async (path): Promise<[string, number]> => {
    const entries = await readdir(join(folder, path), { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => stat(join(parentPath, name)))
    const bytes = (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0)
    return [path.replace('node_modules/', ''), bytes]
  })
  return new Map(await Promise.all(sizes))
}

/**
 * Writes into a folder: the README's examples, which are the blocks that begin with `// file: NAME`, the packages' own as
 * `NAME-readme.ts`, and `every-import.ts`.
 */
async function writeExamples(folder: string): Promise<void> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/^```tsx?\n(\/\/ file: (\S+)\n[\s\S]*?)^```$/gm)]
  await Promise.all(blocks.map(([, code = '', name = '']) => writeFile(join(folder, name), code)))
  const imports: string[] = []
  for (const name of names) {
    const path = join(folder, 'node_modules/@midstream', name)
    const own = [...(await readFile(join(path, 'README.md'), 'utf8')).matchAll(/^```(tsx?)[^\n]*\n([\s\S]*?)^```$/gm)]
    expect(own).toHaveLength(1)
    for (const [, extension, code = ''] of own) await writeFile(join(folder, `${name}-readme.${extension}`), code)
    const entries = Object.keys((await readJson(join(path, 'package.json'))).exports)
    imports.push(...entries.filter((entry) => !entry.endsWith('.json')).map((entry) => join('@midstream', name, entry)))
  }
  await writeFile(join(folder, 'every-import.ts'), imports.map((from) => `export type {} from '${from}'\n`).join(''))
  await cp(join(import.meta.dirname, 'consumer'), folder, { recursive: true })
}

test.concurrent.each([
  ['19', newest],
  ['18', oldest],
])(
  'packages: installed with npm beside React %s and TypeScript %s, all examples of the READMEs type-check, and the main one’s run',
  async (react, typescript) => {
    const beside = ['react', 'react-dom', '@types/react', '@types/react-dom'].map((name) => `${name}@${react}`)
    const folder = await install(...beside, '@types/node@24', `typescript@${typescript}`)
    await writeExamples(folder)
    const tsc = join(folder, 'node_modules/.bin/tsc')
    for (const config of ['tsconfig.json', 'tsconfig.no-dom.json']) {
      await run(tsc, ['-p', config], { cwd: folder }).catch(({ stdout }: { stdout: string }) => expect(stdout).toBe(''))
    }
    const env = { ...process.env, OLLAMA_URL: nano.url, MODEL: 'nano' }
    const { stdout } = await run(process.execPath, ['drive.mjs', happyDom], { cwd: folder, env, timeout: 60_000 })
    const result = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>
    expect(result['version']).toMatch(new RegExp(`^${react}\\.`))
    expect(result['script']).toContain('fox')
    expect(result['fault']).toBe('Once upon a time')
    expect(result['client']).toContain('session')
    const page = result['page'] as Record<'cut' | 'keptAfterwards', string>
    expect(page.cut).not.toBe('')
    expect(page.keptAfterwards).toBe(page.cut)
  },
  120_000,
)

test.concurrent('packages: npm brings nothing but the three, eventsource-parser and React, less than 1.1 MB', async () => {
  const sizes = await installed(await bare)
  expect([...sizes.keys()].sort()).toEqual([...ours, 'react'].sort())
  const bytes = ours.reduce((sum, name) => sum + sizes.get(name)!, 0)
  expect(bytes).toBeGreaterThan(100_000)
  expect(bytes).toBeLessThan(1_100_000)
}, 60_000)

test.concurrent('packages: each has its licence, README and changelog, no sources, and nothing that only the workspace has', async () => {
  const folder = await bare
  for (const name of names) {
    const path = join(folder, 'node_modules/@midstream', name)
    const manifest = await readFile(join(path, 'package.json'), 'utf8')
    expect((await readdir(path)).sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'])
    expect(manifest).not.toContain('@midstream/source')
    expect(manifest).not.toContain('workspace:')
    const files = await readdir(join(path, 'dist'), { recursive: true })
    expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([])
  }
}, 60_000)

test.concurrent('packages: one version, which the code says, too; no side effects; published with provenance', async () => {
  const folder = await bare
  const paths = names.map((name) => join(folder, 'node_modules/@midstream', name))
  const manifests = await Promise.all(paths.map((path) => readJson(join(path, 'package.json'))))
  const print = `import { version } from '@midstream/core'; console.log(version)`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', print], { cwd: folder })
  const version = stdout.trim()
  const publishConfig = { access: 'public', provenance: true }
  for (const manifest of manifests) expect(manifest).toMatchObject({ version, sideEffects: false, publishConfig })
}, 60_000)
