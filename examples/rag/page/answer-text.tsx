import { findAndReplace } from 'mdast-util-find-and-replace'
import Markdown, { type Components } from 'react-markdown'
import remarkCjkFriendly from 'remark-cjk-friendly'
import remarkGfm from 'remark-gfm'
import { words } from './words.ts'

type Links = ReadonlyMap<string, { readonly url: string; readonly title: string }>

interface AnswerTextProps {
  readonly text: string
  /** Where the source of a number stands in the page. */
  readonly links: Links
}

/**
 * An answer as Markdown, with `[1]` a link to its source where there is one. Elements are made of it, and never HTML: tags in it
 * are shown as the text they are.
 */
export function AnswerText({ text, links }: AnswerTextProps): React.ReactNode {
  return (
    <Markdown remarkPlugins={[remarkGfm, remarkCjkFriendly, linkMarks(links)]} components={components}>
      {text}
    </Markdown>
  )
}

type Tree = Parameters<typeof findAndReplace>[0]

const linkMarks = (links: Links) => () => (tree: Tree) => {
  const toLink = (mark: string, number: string) => {
    const link = links.get(number)
    return link !== undefined && { type: 'link' as const, ...link, children: [{ type: 'text' as const, value: mark }] }
  }
  findAndReplace(tree, [/\[(\d{1,2})\]/g, toLink], { ignore: ['link', 'linkReference'] })
}

const away = { target: '_blank', rel: 'noopener noreferrer nofollow' } as const

const components: Components = {
  a: ({ href, title, children }) => (
    <a href={href} title={title} {...(href?.startsWith('#') ? {} : away)}>
      {children}
    </a>
  ),
  // A document could make the model write an image whose address tells somebody what was asked.
  img: ({ src, alt }) => (
    <a href={typeof src === 'string' ? src : undefined} {...away}>
      {alt || words.image}
    </a>
  ),
}
