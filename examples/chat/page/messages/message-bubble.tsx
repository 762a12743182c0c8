import type { ChatMessage, ChatStatus } from '@midstream/client'
import { memo } from 'react'
import { problemOf } from '../problem.ts'
import { words } from '../words/index.ts'
import { MarkdownText } from './markdown-text.tsx'

interface MessageBubbleProps {
  readonly message: ChatMessage
  /** What goes on with it; `idle` for all but the last. */
  readonly status: ChatStatus
  /** Only the last message can be asked for anew. */
  readonly onTryAgain: (() => void) | undefined
}

/** Before the first word of an answer, there is only waiting. */
const progressWords: { readonly [Status in ChatStatus]?: string } = {
  streaming: words.streaming,
  reconnecting: words.reconnecting,
}

/** One message. Messages keep their identity, so only the one that grows is rendered again. */
export const MessageBubble: React.MemoExoticComponent<(props: MessageBubbleProps) => React.ReactNode> = memo(
  function MessageBubble({ message, status, onTryAgain }: MessageBubbleProps) {
    const { role, state, content, thinking, error } = message
    const isUser = role === 'user'
    return (
      <article
        className="bubble"
        data-testid="message"
        data-role={role}
        data-state={state}
        aria-label={isUser ? words.you : words.assistant}
        aria-busy={state === 'streaming'}
      >
        {thinking !== undefined && (
          <details className="thinking" data-testid="thinking">
            <summary>{words.thinking}</summary>
            <div className="thinking-text">{thinking}</div>
          </details>
        )}
        {content !== '' && (
          <div className={isUser ? 'text plain' : 'text'} data-testid="text">
            {isUser ? content : <MarkdownText text={content} />}
          </div>
        )}
        {state === 'interrupted' && content === '' && <p className="note">{words.interruptedEmpty}</p>}
        {error !== undefined && (
          <div className="problem" data-testid="problem" data-code={error.code}>
            <p>{words.problem[problemOf(error.code)]}</p>
            {onTryAgain && (
              <button type="button" data-testid="try-again" onClick={onTryAgain}>
                {words.tryAgain}
              </button>
            )}
          </div>
        )}
        {state === 'streaming' && (
          <p className="tag" data-testid="streaming">
            {progressWords[status] ?? words.waiting}
          </p>
        )}
        {state === 'interrupted' && (
          <p className="tag interrupted" data-testid="interrupted">
            {words.interrupted}
          </p>
        )}
      </article>
    )
  },
)
