import { memo, useMemo, useState } from 'react'
import Markdown, { type Components, type Options } from 'react-markdown'
import rehypeSanitize from 'rehype-sanitize'
import remarkCjkFriendly from 'remark-cjk-friendly'
import remarkGfm from 'remark-gfm'
import { AsWritten } from './as-written.tsx'
import { createBlockSplitter } from './block-splitter.ts'
import { closeMarks } from './close-marks.ts'
import { ErrorBoundary } from './error-boundary.tsx'
import { createFitting } from './fitting.ts'

type Plugins = NonNullable<Options['remarkPlugins']>

interface ModelTextProps {
  readonly text: string
  /** Stands for a picture without a name. */
  readonly image: string
  /** Further remark plugins. The same list renders nothing again. */
  readonly plugins?: Plugins | undefined
}

/**
 * Text of a model as Markdown. Raw HTML in it is shown as the text it is. Blocks that are finished are rendered once;
 * the last one is rendered with every change, in the same commit: what is shown is never behind the text. A block that
 * would take the parser long, or that throws, is shown as it is written.
 */
export function ModelText({ text, image, plugins = none }: ModelTextProps): React.ReactNode {
  const [split] = useState(createBlockSplitter)
  const [fit] = useState(createFitting)
  const blocks = split(text)
  const fits = fit(blocks)
  const last = blocks.length - 1
  const looks = { image, plugins }
  return blocks.map((block, index) => (
    // Blocks are only ever appended: the index is what they are.
    // oxlint-disable-next-line react/no-array-index-key
    <Block key={index} text={block} fits={fits[index]!} isLast={index === last} {...looks} />
  ))
}

const none: Plugins = []

interface BlockProps {
  readonly text: string
  readonly fits: boolean
  readonly isLast: boolean
  readonly image: string
  readonly plugins: Plugins
}

const Block = memo(function Block({ text, fits, isLast, image, plugins }: BlockProps) {
  if (!fits) return <AsWritten text={text} />
  return (
    <ErrorBoundary of={text} fallback={asWritten} isOther={isNoLonger}>
      <Parsed text={isLast ? closeMarks(text) : text} image={image} plugins={plugins} />
    </ErrorBoundary>
  )
})

const asWritten = (text: string): React.ReactNode => <AsWritten text={text} />
/** What only grows would throw again. */
const isNoLonger = (now: string, failed: string): boolean => !now.startsWith(failed)

function Parsed({ text, image, plugins }: Pick<BlockProps, 'text' | 'image' | 'plugins'>): React.ReactNode {
  const remarkPlugins = useMemo(() => [remarkGfm, remarkCjkFriendly, ...plugins], [plugins])
  const components = useMemo(() => componentsFor(image), [image])
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
}

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

const away = { target: '_blank', rel: 'noopener noreferrer nofollow' } as const

const componentsFor = (image: string): Components => ({
  a: ({ href, title, children }) => (
    <a href={href} title={title} {...(href?.startsWith('#') ? {} : away)}>
      {children}
    </a>
  ),
  // An image would tell its server who reads this, and when: it is fetched only when asked for.
  img: ({ src, alt }) => (
    <a href={typeof src === 'string' ? src : undefined} {...away}>
      {alt || image}
    </a>
  ),
  table: ({ children }) => (
    <div className="table">
      <table>{children}</table>
    </div>
  ),
})
