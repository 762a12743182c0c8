import MarkdownIt from 'markdown-it'
import { readFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** One code block of a Markdown file. */
export interface MarkdownBlock {
  /** The Markdown file, relative to the root of the project. */
  readonly file: string
  /** Line of its first line of code, from 1. */
  readonly line: number
  /** The first word after the fence, as `ts`; empty without one, and for an indented block. */
  readonly lang: string
  /** What follows the language: words that say how it is checked, see {@link checkWords}. */
  readonly words: readonly string[]
  /** By `// file: NAME` in its first line. Blocks of one name are one file, in their order. */
  readonly name: string | undefined
  readonly isIndented: boolean
  readonly code: string
}

/**
 * What a block may say of itself after its language. Without a word it is checked as far as its language allows.
 * `types`: only type-checked, not run. `excerpt=PATH`: its lines are lines of that file, beside the Markdown file.
 * `unchecked`: there is nothing here that could check it.
 */
export const checkWords: readonly string[] = ['types', 'unchecked']

const markdown = new MarkdownIt({ html: true })

/** Markdown files that git knows or would take in, relative to the root. */
export function markdownFiles(root: string): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  })
  return [...new Set(listed.split('\0'))].filter((file) => file !== '').toSorted()
}

/** The code blocks of a Markdown file, in their order. */
export function markdownBlocks(root: string, file: string): readonly MarkdownBlock[] {
  return markdown.parse(readFileSync(join(root, file), 'utf8'), {}).flatMap((token): MarkdownBlock[] => {
    if (token.type !== 'fence' && token.type !== 'code_block') return []
    const isIndented = token.type === 'code_block'
    const [lang = '', ...words] = token.info.trim().split(/\s+/)
    const name = /^(?:\/\/|#) file: (\S+)\n/.exec(token.content)?.[1]
    // markdown-it counts from 0, and the fence is a line.
    const line = (token.map?.[0] ?? 0) + (isIndented ? 1 : 2)
    return [{ file, line, lang, words, name, isIndented, code: token.content }]
  })
}

/** Named blocks of a Markdown file as whole files: `server.ts` and its text. Line n of the text is line n of the Markdown file. */
export function blockFiles(blocks: readonly MarkdownBlock[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const block of blocks) {
    const name = block.name ?? `line-${block.line}.${block.lang}`
    const before = files.get(name) ?? ''
    files.set(name, before + '\n'.repeat(Math.max(0, block.line - 1 - lineCount(before))) + block.code)
  }
  return files
}

const lineCount = (text: string): number => text.split('\n').length - 1
