import type { ChatMessage, ChatStatus, StatusEvent } from '@midstream/client'
import { ErrorBoundary } from '@midstream/example-page-parts'
import { words } from '../words/index.ts'
import { BrokenBubble, isOtherMessage } from './broken-bubble.tsx'
import { MessageBubble } from './message-bubble.tsx'
import './messages.css'
import { ReplyActions } from './reply-actions.tsx'
import { useAutoscroll } from './use-autoscroll.ts'

interface MessageListProps {
  readonly messages: readonly ChatMessage[]
  readonly status: ChatStatus
  /** What the gateway says of the run that goes on. */
  readonly runStatus: StatusEvent | null
  /** The id of the message that is edited. */
  readonly editing: string | undefined
  readonly onEdit: (message: ChatMessage) => void
  readonly onContinue: () => void
  readonly onTryAgain: () => void
}

const broken = (message: ChatMessage): React.ReactNode => <BrokenBubble message={message} />

/** The conversation, kept at its end unless the person has scrolled up. */
export function MessageList({
  messages,
  status,
  runStatus,
  editing,
  onEdit,
  onContinue,
  onTryAgain,
}: MessageListProps): React.ReactNode {
  const { scroller, isFollowing, follow } = useAutoscroll(messages)
  const last = messages.at(-1)
  const editedAt = editing === undefined ? messages.length : messages.findIndex(({ id }) => id === editing)
  return (
    <>
      <div
        ref={scroller}
        className="scroller"
        data-testid="messages"
        // Live regions would read out every token: the announcer speaks instead. Focusable, to be scrolled by keys.
        role="log"
        aria-live="off"
        aria-label={words.conversation}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
      >
        <div className="messages">
          {messages.map((message, i) => (
            <ErrorBoundary key={message.id} of={message} fallback={broken} isOther={isOtherMessage}>
              <MessageBubble
                message={message}
                status={message === last ? status : 'idle'}
                runStatus={message === last ? runStatus : null}
                edit={i < editedAt ? 'none' : i === editedAt ? 'edited' : 'replaced'}
                onEdit={onEdit}
              />
            </ErrorBoundary>
          ))}
          <ReplyActions
            message={editing === undefined ? last : undefined}
            onContinue={onContinue}
            onTryAgain={onTryAgain}
          />
        </div>
      </div>
      {!isFollowing && (
        <button type="button" className="jump" data-testid="jump" onClick={follow}>
          <span aria-hidden="true">↓ </span>
          {words.jump}
        </button>
      )}
    </>
  )
}
