import { ModelText } from '@midstream/example-page-parts'
import { findAndReplace } from 'mdast-util-find-and-replace'
import { useMemo } from 'react'
import { words } from './words.ts'

type Links = ReadonlyMap<string, { readonly url: string; readonly title: string }>

interface AnswerTextProps {
  readonly text: string
  /** Where the source of a number stands in the page. The same map renders nothing again. */
  readonly links: Links
}

/** An answer as Markdown, with `[1]` a link to its source where there is one. */
export function AnswerText({ text, links }: AnswerTextProps): React.ReactNode {
  const plugins = useMemo(() => [linkMarks(links)], [links])
  return <ModelText text={text} image={words.image} plugins={plugins} />
}

type Tree = Parameters<typeof findAndReplace>[0]

const linkMarks = (links: Links) => () => (tree: Tree) => {
  const toLink = (mark: string, number: string) => {
    const link = links.get(number)
    return link !== undefined && { type: 'link' as const, ...link, children: [{ type: 'text' as const, value: mark }] }
  }
  findAndReplace(tree, [/\[(\d{1,2})\]/g, toLink], { ignore: ['link', 'linkReference'] })
}
