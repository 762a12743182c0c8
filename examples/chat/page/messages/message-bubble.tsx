import type { ChatMessage, ChatStatus, StatusEvent } from '@midstream/client'
import { ModelText } from '@midstream/example-page-parts'
import { memo } from 'react'
import { problemOf } from '../problem.ts'
import { words } from '../words/index.ts'
import './markdown-text.css'
import { waitingText } from './waiting-text.ts'

interface MessageBubbleProps {
  readonly message: ChatMessage
  /** What goes on with it; `idle` for all but the last. */
  readonly status: ChatStatus
  readonly runStatus: StatusEvent | null
  /** Whether its text is changed right now, or it goes when that is sent. */
  readonly edit: 'none' | 'edited' | 'replaced'
  readonly onEdit: (message: ChatMessage) => void
}

/** One message. Messages keep their identity, so only the one that grows is rendered again. */
export const MessageBubble: React.MemoExoticComponent<(props: MessageBubbleProps) => React.ReactNode> = memo(
  function MessageBubble({ message, status, runStatus, edit, onEdit }: MessageBubbleProps) {
    const { role, state, reason, content, thinking, error } = message
    const isUser = role === 'user'
    return (
      <article
        className="bubble"
        data-testid="message"
        data-role={role}
        data-state={state}
        data-edit={edit}
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
            {isUser ? content : <ModelText text={content} image={words.image} />}
          </div>
        )}
        {state === 'interrupted' && content === '' && <p className="note">{words.interruptedEmpty}</p>}
        {error !== undefined && (
          <div className="problem" data-testid="problem" data-code={error.code}>
            <p>{words.problem[problemOf(error.code)]}</p>
          </div>
        )}
        {state === 'streaming' && (
          <p className="tag" data-testid="streaming">
            {waitingText(words, status, runStatus)}
          </p>
        )}
        {state === 'interrupted' && (
          <p className="tag interrupted" data-testid="interrupted">
            {words.interrupted}
          </p>
        )}
        {reason === 'length' && (
          <p className="tag interrupted" data-testid="at-limit">
            {words.atLimit}
          </p>
        )}
        {isUser && (
          <button
            type="button"
            className="pencil"
            data-testid="edit"
            title={words.edit}
            aria-label={words.edit}
            onClick={() => onEdit(message)}
          >
            <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
              <path d="m10.6 2.9 2.5 2.5-7.6 7.6-3.2.7.7-3.2zM9 4.5l2.5 2.5" />
            </svg>
          </button>
        )}
      </article>
    )
  },
)
