import { createChatClient, type ChatSession } from '@midstream/client'
import { persist } from '@midstream/client/persist'

/** A conversation for as long as its element is in the page. */
export interface Conversation {
  readonly session: ChatSession
  /** Ends what runs, here and at the model; one that is not kept is forgotten there, too. Nothing is left behind. */
  close(): void
}

/** What is kept under these names belongs to an element that is in the page. */
const taken = new Set<string>()

/**
 * Opens a conversation.
 * @param keep - The name under which it is kept from page to page, in this tab; null: not at all. Of two elements that
 * ask for the same name, the first has it: two that wrote to one place would take each other's words.
 */
export function openConversation(endpoint: string, keep: string | null, onChange: () => void): Conversation {
  const name = `${endpoint} ${keep ?? ''}`
  const isKept = keep !== null && !taken.has(name)
  if (isKept) taken.add(name)
  const client = createChatClient({
    url: endpoint,
    extensions: isKept ? [persist('session', { prefix: 'midstream-chat' })] : [],
  })
  const session = client.session(name)
  const unsubscribe = session.subscribe(onChange)
  return {
    session,
    close() {
      unsubscribe()
      // Both are on their way when the client lets the conversation go: what is opened next writes here alone.
      if (isKept) void session.interrupt()
      else void session.clear()
      client.close()
      if (isKept) taken.delete(name)
    },
  }
}
