import { blockFiles, markdownBlocks, type MarkdownBlock } from '@midstream/test-support/markdown-blocks'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export const root: string = join(import.meta.dirname, '../../..')

/** Below docs, so that the packages that the blocks import can be found. */
const folder = join(root, 'docs/.blocks')

/** Blocks that are code, of a kind that can be type-checked. */
export const isTyped = ({ lang, words }: MarkdownBlock): boolean =>
  /^tsx?$/.test(lang) && !words.includes('unchecked') && !words.some(isExcerpt)

export const isExcerpt = (word: string): boolean => word.startsWith('excerpt=')

/** Where the blocks of a Markdown file are written: one folder each, since they import each other by name. */
function folderOf(file: string, purpose: string): string {
  return join(folder, purpose, file.replaceAll('/', '__').replace(/\.md$/, ''))
}

/**
 * Writes the blocks of some Markdown files, each in a folder of its own.
 * @param purpose - A folder for each test file that does so: they run side by side.
 * @returns The files, by Markdown file.
 */
export async function writeBlocks(
  files: readonly string[],
  purpose: string,
  wanted: (block: MarkdownBlock) => boolean = isTyped,
): Promise<ReadonlyMap<string, readonly string[]>> {
  await rm(join(folder, purpose), { recursive: true, force: true })
  const written = new Map<string, readonly string[]>()
  for (const file of files) {
    const blocks = blockFiles(markdownBlocks(root, file).filter(wanted))
    const into = folderOf(file, purpose)
    if (blocks.size > 0) await mkdir(into, { recursive: true })
    for (const [name, text] of blocks) await writeFile(join(into, name), text)
    written.set(
      file,
      [...blocks.keys()].map((name) => join(into, name)),
    )
  }
  return written
}
