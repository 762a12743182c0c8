import { markdownBlocks } from '@midstream/test-support/markdown-blocks'
import { markdownLinks } from '@midstream/test-support/markdown-links'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './support/block-folder.ts'

interface Readme {
  readonly headings: readonly unknown[]
  readonly rows: readonly number[]
  readonly items: number | undefined
  readonly blocks: readonly unknown[]
  readonly code: readonly string[]
  readonly links: readonly string[]
}

function read(file: string): Readme {
  const text = readFileSync(join(root, file), 'utf8')
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')
  return {
    headings: [...prose.matchAll(/^(#+) \S/gm)].map(([, level]) => level),
    rows: [...prose.matchAll(/^\|.*\|$/gm)].map(([row]) => row.replaceAll(/\\\||`[^`]*`/g, '').split('|').length),
    items: prose.match(/^- /gm)?.length,
    blocks: markdownBlocks(root, file).map(({ lang, name }) => [lang, name]),
    // What is shown in a terminal or run is one; words in it, such as comments and labels, are translated.
    code: markdownBlocks(root, file).map(({ code }) =>
      code
        .replaceAll(/(#|\/\/) .*|>[^<>{}]+<|'[^']*[\u4e00-\u9fff][^']*'|'[A-Z][a-z]+( \w+)+'/g, '')
        .replaceAll(/[ \t]+$/gm, ''),
    ),
    links: [...new Set(markdownLinks(text).links.map(({ href }) => href.replace(/#.*$/, '#')))].filter(
      (href) => !/^README(\.zh-CN)?\.md$/.test(href),
    ),
  }
}

const english = read('README.md')
const chinese = read('README.zh-CN.md')

test('README.zh-CN: the same sections, tables and lists as README', () => {
  expect(chinese.headings).toEqual(english.headings)
  expect(chinese.rows).toEqual(english.rows)
  expect(chinese.items).toBe(english.items)
})

test('README.zh-CN: the same blocks as README, with the same code', () => {
  expect(chinese.blocks).toEqual(english.blocks)
  const [pictures, codes] = [english, chinese].map(({ code }) => code.filter((text) => !text.includes('->'))) as [
    string[],
    string[],
  ]
  expect(codes).toEqual(pictures)
})

test('README.zh-CN: leads wherever README leads', () => {
  expect(english.links.filter((href) => !chinese.links.includes(href))).toEqual([])
})
