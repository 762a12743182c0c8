import GithubSlugger from 'github-slugger'
import MarkdownIt from 'markdown-it'

/** What of a Markdown file takes part in links, as GitHub shows it. */
export interface MarkdownLinks {
  /** Where its links and pictures lead, as they stand there. */
  readonly links: readonly { readonly href: string; readonly line: number }[]
  /** What a link can end with, behind `#`. */
  readonly anchors: ReadonlySet<string>
}

const markdown = new MarkdownIt({ html: true })

/** @param text - The file's text, without what includes would bring in. */
export function markdownLinks(text: string): MarkdownLinks {
  const slugger = new GithubSlugger()
  const anchors = new Set<string>()
  const links: { href: string; line: number }[] = []
  const tokens = markdown.parse(text, {})
  tokens.forEach(({ type, content, children, map }, index) => {
    for (const [, id = ''] of type.startsWith('html') ? content.matchAll(/\bid="([^"]+)"/g) : []) anchors.add(id)
    const words: string[] = []
    for (const child of children ?? []) {
      const href = child.attrGet(child.type === 'image' ? 'src' : 'href')
      if (href) links.push({ href, line: (map?.[0] ?? 0) + 1 })
      if (child.type === 'html_inline')
        for (const [, id = ''] of child.content.matchAll(/\bid="([^"]+)"/g)) anchors.add(id)
      else if (child.type === 'text' || child.type === 'code_inline') words.push(child.content)
    }
    if (tokens[index - 1]?.type === 'heading_open') anchors.add(slugger.slug(words.join('')))
  })
  return { links, anchors }
}
