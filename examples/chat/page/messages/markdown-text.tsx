import { memo, useState } from 'react'
import Markdown, { type Components, type Options } from 'react-markdown'
import rehypeSanitize from 'rehype-sanitize'
import remarkCjkFriendly from 'remark-cjk-friendly'
import remarkGfm from 'remark-gfm'
import { createBlockSplitter } from './block-splitter.ts'
import { closeMarks } from './close-marks.ts'
import { words } from '../words/index.ts'
import './markdown-text.css'

const remarkPlugins = [remarkGfm, remarkCjkFriendly]
const rehypePlugins = [rehypeSanitize]

/** Raw HTML stays the text it is: dropping it would show less than the model is told was shown. */
const remarkRehypeOptions: Options['remarkRehypeOptions'] = {
  handlers: {
    html(_, { value }: { value: string }, parent: { type: string } | undefined) {
      const text = { type: 'text' as const, value }
      const isBlock = parent === undefined || ['root', 'blockquote', 'listItem'].includes(parent.type)
      return isBlock ? { type: 'element', tagName: 'p', properties: {}, children: [text] } : text
    },
  },
}

const components: Components = {
  a: ({ href, title, children }) => (
    <a href={href} title={title} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
  // An image would tell its server who reads this, and when: it is fetched only when asked for.
  img: ({ src, alt }) => (
    <a href={typeof src === 'string' ? src : undefined} target="_blank" rel="noopener noreferrer nofollow">
      {alt || words.image}
    </a>
  ),
  table: ({ children }) => (
    <div className="table">
      <table>{children}</table>
    </div>
  ),
}

const Block = memo(function Block({ text }: { readonly text: string }) {
  return (
    <Markdown
      remarkPlugins={remarkPlugins}
      remarkRehypeOptions={remarkRehypeOptions}
      rehypePlugins={rehypePlugins}
      components={components}
    >
      {text}
    </Markdown>
  )
})

/**
 * Text of a model as Markdown. Raw HTML in it is shown as the text it is. Blocks that are finished are rendered once;
 * the last one is rendered with every change, in the same commit: what is shown is never behind the text.
 */
export function MarkdownText({ text }: { readonly text: string }): React.ReactNode {
  const [split] = useState(createBlockSplitter)
  const blocks = split(text)
  return blocks.map((block, index) => (
    // Blocks are only ever appended: the index is what they are.
    // oxlint-disable-next-line react/no-array-index-key
    <Block key={index} text={index === blocks.length - 1 ? closeMarks(block) : block} />
  ))
}
