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
const tarballs = ['core', 'client', 'react'].map((name) => join(root, `artifacts/packages/midstream-${name}.tgz`))
const ours = ['@midstream/client', '@midstream/core', '@midstream/react', 'eventsource-parser']
const happyDom = pathToFileURL(createRequire(join(root, 'packages/react/')).resolve('happy-dom')).href
const run = promisify(execFile)

const folders: string[] = []
let nano: Awaited<ReturnType<typeof startNano>>
/** Where nothing but the packages and React is installed. */
let bare: Promise<string>

beforeAll(async () => {
  if (!tarballs.every((file) => existsSync(file)))
    throw new Error('Nothing is packed: run `node scripts/pack.mjs` first')
  bare = install('react@19')
  nano = await startNano({ tokensPerSecond: 200 })
})
afterAll(async () => {
  await nano.close()
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
})

/** An empty folder outside of the repository, into which npm installs the tarballs and what is named. */
async function install(...names: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'midstream-'))
  folders.push(folder)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
  // What npm sets for the scripts that it runs is not for this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(npm|pnpm)_/i.test(key)))
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  await run('npm', ['install', ...flags, ...tarballs, ...names], {
    cwd: folder,
    env,
    shell: process.platform === 'win32',
  })
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

/** Writes the README's examples, the blocks that begin with `// file: NAME`, into a folder. */
async function writeExamples(folder: string): Promise<void> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/^```tsx?\n(\/\/ file: (\S+)\n[\s\S]*?)^```$/gm)]
  await Promise.all(blocks.map(([, code = '', name = '']) => writeFile(join(folder, name), code)))
  await cp(join(import.meta.dirname, 'consumer'), folder, { recursive: true })
}

test.concurrent.each(['19', '18'])(
  'packages: installed with npm beside React %s, the README’s examples type-check and run',
  async (react) => {
    const names = ['react', 'react-dom', '@types/react', '@types/react-dom'].map((name) => `${name}@${react}`)
    const folder = await install(...names, '@types/node@24')
    await writeExamples(folder)
    const tsc = join(root, 'node_modules/.bin/tsc')
    await run(tsc, [], { cwd: folder }).catch(({ stdout }: { stdout: string }) => expect(stdout).toBe(''))
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

test.concurrent('packages: npm brings nothing but the three, eventsource-parser and React, less than 1 MB', async () => {
  const sizes = await installed(await bare)
  expect([...sizes.keys()].sort()).toEqual([...ours, 'react'].sort())
  const bytes = ours.reduce((sum, name) => sum + sizes.get(name)!, 0)
  expect(bytes).toBeGreaterThan(100_000)
  expect(bytes).toBeLessThan(1_000_000)
}, 60_000)

test.concurrent('packages: each has its licence, README and changelog, no sources, and nothing that only the workspace has', async () => {
  const folder = await bare
  for (const name of ['core', 'client', 'react']) {
    const path = join(folder, 'node_modules/@midstream', name)
    const manifest = await readFile(join(path, 'package.json'), 'utf8')
    expect((await readdir(path)).sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'])
    expect(manifest).not.toContain('@midstream/source')
    expect(manifest).not.toContain('workspace:')
    const files = await readdir(join(path, 'dist'), { recursive: true })
    expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([])
  }
}, 60_000)
