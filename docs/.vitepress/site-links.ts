import type { MarkdownRenderer } from 'vitepress'

/** Files of the project that are pages of the site, too, by how their path ends. */
const pages: readonly (readonly [file: RegExp, page: string])[] = [
  [/(^|\/)docs\/design\.md/, '/design'],
  [/(^|\/)CONTRIBUTING\.md/, '/contributing'],
  [/(^|\/)bench\/(README\.md)?(?=#|$)/, '/bench'],
]

/**
 * Links in texts that are read in the repository, too: to files that are pages here, and to files that are not, which
 * become plain text.
 */
export function siteLinks(md: Pick<MarkdownRenderer, 'core'>): void {
  md.core.ruler.push('site-links', ({ tokens, env }) => {
    const { relativePath = '' } = env as { relativePath?: string }
    for (const { children } of tokens) {
      const open: boolean[] = []
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          const href = String(token.attrGet('href'))
          const to = siteHref(href, relativePath)
          open.push(to !== undefined)
          if (to === undefined) token.hidden = true
          else token.attrSet('href', to)
        } else if (token.type === 'link_close' && open.pop() === false) token.hidden = true
      }
    }
  })
}

/** Where a link leads on the site; undefined for a file of the repository that is no page. */
function siteHref(href: string, from: string): string | undefined {
  if (/^([a-z]+:|#|\/)/.test(href)) return href
  const page = pages.find(([file]) => file.test(href))
  if (page) return href.replace(/^[^#]*/, page[1])
  const isTaken =
    /^(contributing|bench)\.md$/.test(from) || href.startsWith('../../') || href.startsWith('../examples/')
  return isTaken ? undefined : href
}
