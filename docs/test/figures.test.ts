import { backoffMs } from '@midstream/core'
import { build } from 'esbuild'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'

const page = (path: string): string => readFileSync(join(import.meta.dirname, '..', path), 'utf8')
/** The shortest and the longest wait before an attempt, ms, rounded to what a page would say. */
const range = (attempt: number): string =>
  [255, 0].map((byte) => Math.round(backoffMs(attempt, (bytes) => bytes.fill(byte)) / 5) * 5).join(' to ')

test.each(['design.md', 'guide/recovery.md'])('figures: %s says how long a client waits as backoffMs does', (path) => {
  const text = page(path)
  expect(text).toContain(`${range(1)} ms`)
  expect(range(2)).toBe('250 to 500')
  expect([6, 7, 20].map(range)).toEqual(['4015 to 8000', '4015 to 8000', '4015 to 8000'])
  expect(text).toContain('up to 4 to 8 s')
})

/** Minified and gzipped, kB, without React. */
async function sizeOf(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    conditions: ['@midstream/source'],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    external: ['react'],
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length / 1_000
}

test.each([
  ['for the page, min+gzip', "export { useChatStream } from '@midstream/react'"],
  ['min+gzip', "export { streamChat } from '@midstream/client'"],
])('figures: compare.md, %s: is what it comes to, within a quarter of a kB', async (row, contents) => {
  const [, said] =
    new RegExp(`^\\| ${row.replace('+', '\\+')} \\|[^|]*?([\\d.]+) kB`, 'm').exec(page('compare.md')) ?? []
  expect(Math.abs(Number(said) - (await sizeOf(contents)))).toBeLessThan(0.25)
})
