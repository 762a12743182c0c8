import type { ChatMessage } from '@midstream/client'
import { problemOf } from './problem.ts'
import { words } from './words/index.ts'

/** Tells a screen reader how an answer ended, once; the tokens on the way there would only be noise. */
export function Announcer({ message }: { readonly message: ChatMessage | undefined }): React.ReactNode {
  return (
    <output className="visually-hidden" aria-live="polite" data-testid="announcement">
      {message?.role === 'assistant' ? announcement(message) : ''}
    </output>
  )
}

function announcement({ state, reason, content, error }: ChatMessage): string {
  if (state === 'streaming') return ''
  if (state === 'interrupted') return words.interrupted
  if (error !== undefined) return words.problem[problemOf(error.code)]
  // Marks that structure the text for the eye.
  const text = `${words.assistant}: ${content.replace(/[*`#|>]+/g, '')}`
  return reason === 'length' ? `${text} (${words.atLimit})` : text
}
