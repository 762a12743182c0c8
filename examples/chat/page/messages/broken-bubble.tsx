import type { ChatMessage } from '@midstream/client'

/** In place of a message that throws, as one that comes from the storage might: its text, as it is written. */
export function BrokenBubble({ message: { role, content } }: { readonly message: ChatMessage }): React.ReactNode {
  return (
    <article className="bubble" data-testid="message" data-role={role} data-state="broken">
      <div className="text plain" data-testid="text">
        {content}
      </div>
    </article>
  )
}

export const isOtherMessage = (now: ChatMessage, failed: ChatMessage): boolean => now.id !== failed.id
