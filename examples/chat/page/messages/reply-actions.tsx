import type { ChatMessage } from '@midstream/client'
import { words } from '../words/index.ts'

interface ReplyActionsProps {
  readonly message: ChatMessage | undefined
  readonly onContinue: () => void
  readonly onTryAgain: () => void
}

/** What can be done about a reply that is not whole. Its place is always there, so that nothing moves when one is cut off. */
export function ReplyActions({ message, onContinue, onTryAgain }: ReplyActionsProps): React.ReactNode {
  return (
    <div className="actions">
      {message && canContinue(message) && (
        <button type="button" data-testid="continue" onClick={onContinue}>
          {words.continue}
        </button>
      )}
      {message && isPartial(message) && (
        <button type="button" data-testid="try-again" onClick={onTryAgain}>
          {words.tryAgain}
        </button>
      )}
    </div>
  )
}

function isPartial({ role, state, reason }: ChatMessage): boolean {
  if (role === 'user' || state === 'streaming') return false
  return state !== 'done' || reason === 'length'
}

/** There is something to go on from, and nothing that must not be done twice. */
function canContinue(message: ChatMessage): boolean {
  return isPartial(message) && message.content !== '' && !message.toolCalls?.length
}
