import type { ChatMessage } from '@midstream/client'
import { useCallback, useState } from 'react'

/** What stands in the composer: a new message or, for as long as one is edited, the text of an old one. */
export interface Draft {
  readonly text: string
  /** The id of the message that is edited. */
  readonly editing: string | undefined
  readonly setText: (text: string) => void
  /** Takes the text of an old message up. */
  readonly take: (message: ChatMessage) => void
  /** Leaves the old message as it is; the new one is still there, as far as it was written. */
  readonly leave: () => void
}

export function useDraft(messages: readonly ChatMessage[]): Draft {
  const [fresh, setFresh] = useState('')
  const [edited, setEdited] = useState<Pick<ChatMessage, 'id' | 'content'>>()
  // It may have gone meanwhile, in another tab, too.
  const old = messages.some(({ id }) => id === edited?.id) ? edited : undefined
  const id = old?.id
  return {
    text: old?.content ?? fresh,
    editing: id,
    setText: useCallback((text) => (id === undefined ? setFresh(text) : setEdited({ id, content: text })), [id]),
    take: setEdited,
    leave: useCallback(() => setEdited(undefined), []),
  }
}
