import { checkWords, markdownBlocks, markdownFiles, type MarkdownBlock } from '@midstream/test-support/markdown-blocks'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import { expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { isExcerpt, root, writeBlocks } from './support/block-folder.ts'

const run = promisify(execFile)
const files = markdownFiles(root)
const blocks = files.flatMap((file) => markdownBlocks(root, file))
const where = ({ file, line }: MarkdownBlock): string => `${file}:${line}`
const of = (...langs: readonly string[]): readonly MarkdownBlock[] =>
  blocks.filter(({ lang, words }) => langs.includes(lang) && !words.includes('unchecked'))

const scriptsOf = (folder: string): readonly string[] => {
  const path = join(root, folder, 'package.json')
  const { scripts = {} } = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { scripts?: object }) : {}
  return Object.keys(scripts)
}

test('markdown: every block is of a kind that is checked here, or says that nothing can check it', () => {
  const checked = new Set(['ts', 'tsx', 'js', 'json', 'yaml', 'css', 'sh', 'text', ''])
  const unknown = blocks.filter(({ lang, words }) => !checked.has(lang) && !words.includes('unchecked'))
  expect(unknown.map((block) => `${where(block)} ${block.lang}`)).toEqual([])
  const words = blocks.flatMap((block) => block.words.filter((word) => !checkWords.includes(word) && !isExcerpt(word)))
  expect(words).toEqual([])
  // What has no language is text: code in it would go unchecked.
  const code = blocks.filter(
    ({ lang, code }) => lang === '' && /^\s*(import|export (const|function|default)|const|await) /m.test(code),
  )
  expect(code.map(where)).toEqual([])
  // Each one more is a promise less: say why here, or check it.
  const unchecked = blocks.filter(({ words }) => words.includes('unchecked')).map(({ lang }) => lang)
  expect(unchecked.toSorted()).toEqual(['html', 'nginx'])
  const onlyTypes = blocks.filter(({ words }) => words.includes('types')).map(where)
  expect(onlyTypes).toEqual([])
})

test('markdown: every TypeScript block type-checks', async () => {
  const written = await writeBlocks(files, 'types')
  expect([...written.values()].flat().length).toBeGreaterThan(40)
  const config = join(import.meta.dirname, 'support/tsconfig.blocks.json')
  const said = await run(join(root, 'node_modules/.bin/tsc'), ['-p', config, '--pretty', 'false'], { cwd: root }).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  )
  // Line n of a written file is line n of the Markdown file.
  expect(
    said.replaceAll(
      /docs\/\.blocks\/types\/(\S+?)\/[^/(]+\(/g,
      (_, name: string) => `${name.replaceAll('__', '/')}.md(`,
    ),
  ).toBe('')
}, 60_000)

test('markdown: an excerpt is, line by line, what stands in the file that it names', () => {
  const excerpts = blocks.filter(({ words }) => words.some(isExcerpt))
  expect(excerpts.length).toBeGreaterThan(0)
  const others = excerpts.flatMap((block) => {
    const from = block.words.find(isExcerpt)!.slice('excerpt='.length)
    const text = readFileSync(join(root, dirname(block.file), from), 'utf8')
    const lines = new Set(text.split('\n').map((line) => line.trim()))
    return block.code.split('\n').flatMap((line) => (lines.has(line.trim()) ? [] : [`${where(block)} ${line}`]))
  })
  expect(others).toEqual([])
})

test.each(of('json', 'yaml', 'css', 'js').map((block) => [where(block), block] as const))(
  'markdown: %s can be read',
  async (_where, { lang, code }) => {
    if (lang === 'json') JSON.parse(code)
    else if (lang === 'yaml') parseYaml(code)
    else expect(await transform(code, { loader: lang as 'css', logLevel: 'silent' })).toMatchObject({ warnings: [] })
  },
)

/** Why a line of shell cannot work, if that can be seen. */
function fault(here: string, line: string): string | undefined {
  const at = (path: string): boolean =>
    [here, join(here, 'train'), '.'].some((from) => existsSync(join(root, from, path)))
  const [, script] = /^npm (?:run )?(test|(?<=run )[\w:-]+)/.exec(line) ?? []
  if (script && !scriptsOf('.').includes(script)) return `no script ${script}`
  const [, file] = /^node (?!-)(\S+\.m?[jt]s)/.exec(line) ?? []
  // What a build makes is there after one.
  if (file?.startsWith('dist/')) return scriptsOf(here).includes('build') ? undefined : `nothing builds ${file}`
  const [, tests] = /^vitest (?:run )?(\S+)/.exec(line) ?? []
  const [, installed] = /^npm install @midstream\/(\w+)/.exec(line) ?? []
  const wanted = [file, tests, installed && join('packages', installed)].find((path) => path && !at(path))
  return wanted && `no ${wanted}`
}

test('markdown: shell blocks are shell, and name scripts and files that are there', async () => {
  const isShell = ({ lang, code }: MarkdownBlock): boolean =>
    lang === 'sh' || /^\s*(npm|pnpm|node|vitest|npx) /m.test(code)
  const shell = of('sh', '').filter(isShell)
  expect(shell.length).toBeGreaterThan(10)
  await Promise.all(shell.filter(({ lang }) => lang === 'sh').map(({ code }) => run('bash', ['-n', '-c', code])))
  const faults = shell.flatMap((block) =>
    block.code.split('\n').flatMap((line) => {
      const why = fault(dirname(block.file), line.replace(/\s#.*$/, '').trim())
      return why === undefined ? [] : [`${where(block)} ${why}`]
    }),
  )
  expect(faults).toEqual([])
})
