import { manualClock } from '@midstream/core/testing'
import { mkdir, mkdtemp, realpath, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openDocumentFolder, type DocumentFolder, type FolderOptions } from '../search/document-folder.ts'
import { readText } from '../search/read-text.ts'

const { signal } = new AbortController()
const found = async (folder: DocumentFolder, text: string): Promise<string[]> =>
  (await folder.search({ text }, 5, signal)).map(({ id }) => id)

async function tempFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'rag-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  for (const [file, content] of Object.entries(files)) await put(root, file, content)
  return root
}
async function put(root: string, file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true })
  await writeFile(join(root, file), content)
}
const open = (root: string, options: Partial<FolderOptions> = {}): Promise<DocumentFolder> =>
  openDocumentFolder(root, { clock: manualClock(), ...options })

test('folder: .md and .txt are read, in folders too; the rest is told, and what is hidden is left alone', async () => {
  const root = await tempFolder({
    'a.md': 'apples',
    'deep/er/b.TXT': 'pears',
    'c.pdf': 'plums',
    '.git/d.md': 'secret plums',
    '.e.md': 'secret plums',
  })
  const folder = await open(root)
  expect(folder.report).toEqual({
    documents: 2,
    passages: 2,
    skipped: [{ path: 'c.pdf', why: 'neither .md nor .txt' }],
  })
  expect(await found(folder, 'pears')).toEqual(['deep/er/b.TXT#L1-L1'])
  expect(await found(folder, 'plums')).toEqual([])
})

test('folder: links are not followed, wherever they lead', async () => {
  const outside = await tempFolder({ 'secret.md': 'cherries', 'deep/secret.md': 'cherries' })
  const root = await tempFolder({ 'a.md': 'apples' })
  await symlink(join(outside, 'secret.md'), join(root, 'link.md'))
  await symlink(outside, join(root, 'linked'))
  const folder = await open(root)
  expect(await found(folder, 'cherries')).toEqual([])
  expect(folder.report.skipped).toEqual([
    { path: 'link.md', why: 'a symbolic link' },
    { path: 'linked', why: 'a symbolic link' },
  ])
})

test('folder: a file that has become a link is not read, nor one in a folder that has', async () => {
  const root = await realpath(await tempFolder({ 'secret/a.md': 'cherries' }))
  await symlink(join(root, 'secret/a.md'), join(root, 'a.md'))
  await symlink(join(root, 'secret'), join(root, 'open'))
  expect(await readText(join(root, 'a.md'), 100)).toEqual({ why: 'cannot be read (ELOOP)' })
  expect(await readText(join(root, 'open/a.md'), 100)).toEqual({ why: 'behind a symbolic link' })
  expect(await readText(join(root, 'secret'), 100)).toEqual({ why: 'not a file' })
})

test('folder: the folder itself may be a link', async () => {
  const root = await tempFolder({ 'a.md': 'apples' })
  const links = await tempFolder()
  await symlink(root, join(links, 'documents'))
  expect(await found(await open(join(links, 'documents')), 'apples')).toEqual(['a.md#L1-L1'])
})

test('folder: a byte order mark is no text, and what is not UTF-8 is told', async () => {
  const root = await tempFolder({
    'bom.md': '\uFEFF# Fruit\n\napples',
    'gbk.txt': Uint8Array.from([0xc6, 0xbb, 0xb9, 0xfb]),
    'nul.txt': 'a\0b',
    'utf16.txt': Uint8Array.from([0xff, 0xfe, 0x61, 0x00]),
  })
  const folder = await open(root)
  expect((await folder.search({ text: 'apples' }, 1, signal))[0]).toMatchObject({ title: 'Fruit', text: 'apples' })
  expect(folder.report.skipped).toEqual([
    { path: 'gbk.txt', why: 'not valid UTF-8 (GBK or Latin-1, perhaps): save it as UTF-8' },
    { path: 'nul.txt', why: 'not a text: it holds NUL bytes' },
    { path: 'utf16.txt', why: 'UTF-16: save it as UTF-8' },
  ])
})

test('folder: sizes and numbers are bounded, and what goes over is told', async () => {
  const root = await tempFolder({ 'a.md': 'apples', 'b.md': 'b'.repeat(101), 'c.md': 'cherries', 'd.md': 'dates' })
  const small = await open(root, { maxFileBytes: 100, maxFiles: 3 })
  expect(small.report).toEqual({
    documents: 2,
    passages: 2,
    skipped: [
      { path: 'd.md', why: 'more than 3 documents' },
      { path: 'b.md', why: '101 bytes, more than 100' },
    ],
  })
  const few = await open(root, { maxPassages: 1 })
  expect(few.report.documents).toBe(1)
  expect(few.report.skipped[0]).toEqual({ path: 'b.md', why: 'more than 1 passages' })
})

test('folder: a document that is changed, new or gone is so at the next search after checkMs', async () => {
  const root = await tempFolder({ 'a.md': 'apples', 'b.md': 'bananas' })
  const clock = manualClock()
  const reports: number[] = []
  const folder = await open(root, { clock, checkMs: 1_000, onChange: ({ documents }) => reports.push(documents) })
  await put(root, 'a.md', 'avocados')
  await unlink(join(root, 'b.md'))
  await put(root, 'c.md', 'cherries')
  clock.advance(999)
  expect(await found(folder, 'apples')).toEqual(['a.md#L1-L1'])
  clock.advance(1)
  expect(await found(folder, 'apples')).toEqual([])
  expect(await found(folder, 'avocados')).toEqual(['a.md#L1-L1'])
  expect(await found(folder, 'bananas')).toEqual([])
  expect(await found(folder, 'cherries')).toEqual(['c.md#L1-L1'])
  clock.advance(1_000)
  await found(folder, 'nothing new')
  expect(reports).toEqual([2, 2])
})

test('folder: a folder that is gone fails the search, and one that was never there cannot be opened', async () => {
  const root = await tempFolder({ 'a.md': 'apples' })
  const clock = manualClock()
  const folder = await open(root, { clock })
  await rm(root, { recursive: true })
  clock.advance(2_000)
  await expect(found(folder, 'apples')).rejects.toThrow('ENOENT')
  await expect(open(root)).rejects.toThrow('ENOENT')
})

test('folder: the documents of the example answer the questions its page suggests', async () => {
  const folder = await open(new URL('../documents', import.meta.url).pathname)
  expect(folder.report).toMatchObject({ documents: 5, skipped: [] })
  const [english] = await folder.search({ text: 'How many days of annual leave do I have?' }, 1, signal)
  expect(english?.text).toContain('27 days')
  const [chinese] = await folder.search({ text: '我每年有多少天年假？' }, 1, signal)
  expect(chinese?.text).toContain('二十天带薪年假')
})
