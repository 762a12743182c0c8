import { createChatClient, type ChatClient, type ChatSession, type ChatSnapshot } from '@midstream/client'
import { useMemo, useSyncExternalStore } from 'react'

/** @public */
export type UseChatStreamOptions =
  | {
      /** A client of the app's own, made outside of the component. */
      readonly client: ChatClient
      /** The conversation's name in that client. @defaultValue the client's main conversation */
      readonly session?: string | undefined
    }
  | {
      /** Where the gateway is; components that name the same one share its client. */
      readonly url: string
      /** The conversation's name in that client. @defaultValue the client's main conversation */
      readonly session?: string | undefined
    }

/** @public */
export interface UseChatStreamResult
  extends ChatSnapshot, Omit<ChatSession, 'subscribe' | 'getSnapshot' | 'getServerSnapshot'> {}

const clients = new Map<string, ChatClient>()

/** The shared client of a gateway. Nothing happens in it before a person says something, so a server can share it, too. */
function clientOf(url: string): ChatClient {
  const client = clients.get(url) ?? createChatClient({ url })
  clients.set(url, client)
  return client
}

/**
 * Subscribes a component to a conversation. All behaviour is in the client's session, which outlives the component:
 * unmounting loses no answer, and mounting makes no request.
 * @returns The snapshot and the actions; the same object until something changes.
 * @public
 */
export function useChatStream(options: UseChatStreamOptions): UseChatStreamResult {
  const client = 'client' in options ? options.client : clientOf(options.url)
  const session = client.session(options.session)
  const snapshot = useSyncExternalStore(session.subscribe, session.getSnapshot, session.getServerSnapshot)
  return useMemo(() => {
    const { subscribe: _, getSnapshot: _get, getServerSnapshot: _server, ...actions } = session
    return { ...snapshot, ...actions }
  }, [snapshot, session])
}
