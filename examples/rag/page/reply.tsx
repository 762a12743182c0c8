import type { ChatMessage } from '@midstream/client'
import { useMemo } from 'react'
import { AnswerText } from './answer-text.tsx'
import { sourcesOf, type ShownSource } from './sources-of.ts'
import { words } from './words.ts'

/** A reply, with its sources as soon as they are known. */
export function Reply({ message }: { readonly message: ChatMessage }): React.ReactNode {
  const { id, content, state, error } = message
  const sources = sourcesOf(message)
  const links = useMemo(
    () => new Map(sources?.map(({ number, title }) => [String(number), { url: `#${anchor(id, number)}`, title }])),
    [id, sources],
  )
  const isSearching = sources === undefined && state === 'streaming'
  return (
    <article className="reply" data-testid="reply" data-state={state} aria-busy={state === 'streaming'}>
      {isSearching && <p className="note">{words.searching}</p>}
      <div className="text" data-testid="text" dir="auto">
        <AnswerText text={content} links={links} />
      </div>
      {state !== 'streaming' && state !== 'done' && (
        <p className="note">
          {words.states[state]} {error?.message}
        </p>
      )}
      {sources && <Sources replyId={id} sources={sources} />}
    </article>
  )
}

interface SourcesProps {
  readonly replyId: string
  readonly sources: readonly ShownSource[]
}
const anchor = (replyId: string, number: number): string => `${replyId}-${number}`

function Sources({ replyId, sources }: SourcesProps): React.ReactNode {
  if (sources.length === 0)
    return (
      <p className="note" data-testid="no-sources">
        {words.nothing}
      </p>
    )
  return (
    <section className="sources" data-testid="sources" aria-label={words.sources}>
      <h2>{words.sources}</h2>
      <ol>
        {sources.map(({ number, id, title, file, from, to, passage }) => (
          <li key={id} id={anchor(replyId, number)}>
            <details>
              <summary>
                <span dir="auto">{title}</span> <small>{`${file}, ${words.lines(from, to)}`}</small>
              </summary>
              <blockquote dir="auto">{passage}</blockquote>
            </details>
          </li>
        ))}
      </ol>
    </section>
  )
}
