import { markdownFiles } from '@midstream/test-support/markdown-blocks'
import { markdownLinks } from '@midstream/test-support/markdown-links'
import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './support/block-folder.ts'

const read = (file: string) => markdownLinks(readFileSync(join(root, file), 'utf8'))
const files = markdownFiles(root).filter((file) => existsSync(join(root, file)))
const all = new Map(files.map((file) => [file, read(file)]))

/** Pages that are put together for the site have anchors of other files; the site's own test looks at those. */
const isPage = (file: string): boolean => file.startsWith('docs/') && file !== 'docs/design.md'

/** Why a link leads nowhere; undefined for one that leads somewhere, or out of the repository. */
function fault(from: string, href: string): string | undefined {
  if (/^[a-z]+:/.test(href)) return undefined
  const [path = '', hash] = decodeURIComponent(href).split('#')
  const to = path === '' ? from : posix.join(posix.dirname(from), path)
  if (to.startsWith('..') || !existsSync(join(root, to))) return `no file ${to}`
  if (hash === undefined || isPage(to)) return undefined
  const anchors = all.get(to)?.anchors ?? all.get(posix.join(to, 'README.md'))?.anchors
  return anchors?.has(hash) ? undefined : `no anchor #${hash} in ${to}`
}

test('links: every relative link of every Markdown file leads to a file and a heading that are there', () => {
  const relative = [...all].flatMap(([from, { links }]) => links.map((link) => ({ from, ...link })))
  expect(relative.length).toBeGreaterThan(100)
  expect(relative.some(({ href }) => href.includes('#'))).toBe(true)
  const dead = relative.flatMap(({ from, href, line }) => {
    const why = fault(from, href)
    return why === undefined ? [] : [`${from}:${line} ${why}`]
  })
  expect(dead).toEqual([])
})

test('links: anchors are those that GitHub makes: of code, of Chinese, and of a heading that stands there twice', () => {
  const { anchors } = markdownLinks('# `createGateway`, by hand\n\n## 现状\n\n## 现状\n\n<a id="here"></a>\n')
  expect([...anchors]).toEqual(['creategateway-by-hand', '现状', '现状-1', 'here'])
})
