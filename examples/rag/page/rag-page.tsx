import type { ChatClient, ChatMessage } from '@midstream/client'
import { ErrorBoundary } from '@midstream/example-page-parts'
import { useChatStream } from '@midstream/react'
import { memo, useRef, useState } from 'react'
import { Reply } from './reply.tsx'
import { words } from './words.ts'

/** To a new question, not after every word of its answer: who reads further up is left there. */
const intoView = (element: HTMLElement | null): void => element?.scrollIntoView()

/** What has not changed is not parsed again with every word of another. */
const KnownReply = memo(Reply)

const isOtherMessage = (now: ChatMessage, failed: ChatMessage): boolean => now.id !== failed.id

/** In place of a reply that throws, as one that comes from the storage might: its text, as it is written. */
const broken = ({ content }: ChatMessage): React.ReactNode => (
  <article className="reply" data-testid="reply" data-state="broken">
    <div className="text as-written">{content}</div>
  </article>
)

/** The whole page: questions, answers with their sources, and one field. */
export function RagPage({ client }: { readonly client: ChatClient }): React.ReactNode {
  const { messages, status, error, send, interrupt, continue: goOn, clear } = useChatStream({ client })
  const [text, setText] = useState('')
  const composer = useRef<HTMLInputElement>(null)
  const isRunning = status !== 'idle' && status !== 'interrupting' && status !== 'error'
  const last = messages.at(-1)
  const mayGoOn =
    !isRunning &&
    last?.role === 'assistant' &&
    last.content !== '' &&
    (last.reason === 'length' || !['streaming', 'done'].includes(last.state))

  const onSubmit = (event: React.SubmitEvent): void => {
    event.preventDefault()
    if (text.trim() === '') return
    // While an answer streams, this ends it, and asks the next question.
    void send(text)
    setText('')
  }
  /** The pressed button may be off the next moment, and focus must not get lost. */
  const press = (act: () => Promise<unknown>) => (): void => {
    void act()
    composer.current?.focus()
  }
  return (
    <main className="page" data-testid="page" data-status={status}>
      <h1>{words.title}</h1>
      <p className="note">{words.hint}</p>
      <div className="conversation">
        {messages.map((message) =>
          message.role === 'user' ? (
            <p key={message.id} ref={intoView} className="question" data-testid="question" dir="auto">
              {message.content}
            </p>
          ) : (
            <ErrorBoundary key={message.id} of={message} fallback={broken} isOther={isOtherMessage}>
              <KnownReply message={message} />
            </ErrorBoundary>
          ),
        )}
      </div>
      <output className="visually-hidden">
        {error?.message ?? (last?.role === 'assistant' && !isRunning ? last.content : '')}
      </output>
      <form className="composer" onSubmit={onSubmit}>
        <input
          ref={composer}
          aria-label={words.ask}
          data-testid="composer"
          value={text}
          placeholder={words.placeholder}
          autoComplete="off"
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" data-testid="ask">
          {words.ask}
        </button>
        <button type="button" data-testid="stop" disabled={!isRunning} onClick={press(interrupt)}>
          {words.stop}
        </button>
        <button type="button" data-testid="continue" disabled={!mayGoOn} onClick={press(goOn)}>
          {words.goOn}
        </button>
        <button type="button" data-testid="clear" disabled={messages.length === 0} onClick={press(clear)}>
          {words.clear}
        </button>
      </form>
    </main>
  )
}
