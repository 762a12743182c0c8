import { lexer } from 'marked'
import type { Passage } from './passage.ts'

/** Longest passage, UTF-16 units: some paragraphs, so that five of them are a fair part of a small model's context. */
const maxChars = 800

/** A part of the text from one offset to another, under its headings. */
interface Block {
  readonly start: number
  readonly end: number
  readonly headings: readonly string[]
}

/** Splits a document at its headings and paragraphs; paragraphs under one heading share a passage as long as they fit. */
export function splitDocument(file: string, content: string): Passage[] {
  const text = content.replaceAll(/\r\n?/g, '\n')
  const isMarkdown = file.toLowerCase().endsWith('.md')
  const blocks = (isMarkdown ? markdownBlocks(text) : paragraphs(text)).flatMap((block) => cut(text, block))
  const name = file
    .split('/')
    .at(-1)!
    .replace(/\.\w+$/, '')
  const lineOf = lineCounter(text)
  return packed(blocks).map(({ start, end, headings }) => {
    const [from, to] = [lineOf(start), lineOf(end)]
    const title = headings.length === 0 ? name : headings.join(' › ')
    return { id: `${file}#L${from}-L${to}`, file, title, from, to, text: text.slice(start, end) }
  })
}

/** Settings at the top of a file, as site generators want them, are no text. */
const frontMatter = /^---\n(?:(?:[\w-]+:|[ \t#-]).*\n)*?---(?:\n|$)/

function markdownBlocks(text: string): Block[] {
  const blocks: Block[] = []
  let levels: string[] = []
  let headings: readonly string[] = []
  let at = frontMatter.exec(text)?.[0].length ?? 0
  for (const token of lexer(text.slice(at))) {
    const start = at
    at += token.raw.length
    if (token.type === 'heading') {
      const { depth, text: heading } = token as { depth: number; text: string }
      levels = levels.slice(0, depth - 1)
      levels[depth - 1] = heading.replaceAll(/[*_`]/g, '')
      // Some documents leave levels out.
      headings = levels.filter(Boolean)
    } else if (token.raw.trim() !== '') blocks.push(trimmed(text, { start, end: at, headings }))
  }
  return blocks
}

function paragraphs(text: string): Block[] {
  const blocks: Block[] = []
  const headings: readonly string[] = []
  let at = 0
  for (const paragraph of text.split(/(\n[ \t]*(?:\n[ \t]*)+)/)) {
    const block = { start: at, end: at + paragraph.length, headings }
    at = block.end
    if (paragraph.trim() !== '') blocks.push(trimmed(text, block))
  }
  return blocks
}

/** White space around is no part of it; indentation of the first line is. */
function trimmed(text: string, { start, end, headings }: Block): Block {
  const raw = text.slice(start, end)
  const lead = /^(?:[ \t]*\n)*/.exec(raw)![0].length
  return { start: start + lead, end: start + raw.trimEnd().length, headings }
}

/** Cuts a block that is too long: at the end of a line, a sentence or a word, whichever is the first that is not too early. */
function cut(text: string, { start, end, headings }: Block): Block[] {
  const blocks: Block[] = []
  let at = start
  while (end - at > maxChars) {
    const stop = at + goodEnd(text.slice(at, at + maxChars))
    blocks.push(trimmed(text, { start: at, end: stop, headings }))
    at = stop
  }
  return [...blocks, trimmed(text, { start: at, end, headings })].filter((block) => block.end > block.start)
}

/** Of a text that is cut off: where a good end is. */
export function goodEnd(text: string): number {
  for (const end of [/\n/g, /[。！？；]|[.!?;](?=\s)/g, /\s/g]) {
    const last = [...text.matchAll(end)].at(-1)
    if (last && last.index >= text.length / 2) return last.index + 1
  }
  // Never half of a surrogate pair.
  return /[\uD800-\uDBFF]$/.test(text) ? text.length - 1 : text.length
}

function packed(blocks: readonly Block[]): Block[] {
  const passages: Block[] = []
  for (const block of blocks) {
    const last = passages.at(-1)
    const fits = last && last.headings === block.headings && block.end - last.start <= maxChars
    if (fits) passages[passages.length - 1] = { ...last, end: block.end }
    else passages.push(block)
  }
  return passages
}

/** Counts lines from 1 up to ascending offsets. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1
  let at = 0
  return (offset) => {
    for (; at < offset; at += 1) if (text[at] === '\n') line += 1
    return line
  }
}
