import {
  createChatClient,
  emptySnapshot,
  type ChatClient,
  type ChatSession,
  type ChatSnapshot,
} from '@midstream/client'
import { useCallback, useMemo, useRef, useSyncExternalStore } from 'react'

/** @public */
export type UseChatStreamOptions =
  | {
      /** A client of the app's own, made outside of the component. */
      readonly client: ChatClient
      /** The conversation's name in that client. @defaultValue the client's main conversation */
      readonly session?: string | undefined
    }
  | {
      /**
       * Where the gateway is; components that name the same one share its client. It is held while one of them is shown, and among the
       * 32 that were asked for last.
       */
      readonly url: string
      /** The conversation's name in that client. @defaultValue the client's main conversation */
      readonly session?: string | undefined
    }

/** @public */
export interface UseChatStreamResult
  extends
    ChatSnapshot,
    Omit<ChatSession, 'subscribe' | 'getSnapshot' | 'getServerSnapshot' | 'close' | typeof Symbol.dispose> {}

interface Shared {
  readonly client: ChatClient
  /** How many components show a conversation of it. */
  shown: number
}

/** Most clients that are held for a component that comes back, those that are shown included. */
const maxClients = 32

/** By URL; the one that was asked for last stands last. */
const clients = new Map<string, Shared>()

/** The shared client of a gateway. Nothing happens in it before a person says something, so a server can share it, too. */
function sharedBy(url: string): Shared {
  const shared = clients.get(url) ?? { client: createChatClient({ url }), shown: 0 }
  keep(url, shared)
  for (const [oldest, { shown }] of clients) {
    if (clients.size <= maxClients) break
    // Not closed: an answer that is still written there is read to its end.
    if (shown === 0 && oldest !== url) clients.delete(oldest)
  }
  return shared
}

function show(url: string, shared: Shared, more: 1 | -1): void {
  shared.shown += more
  // Rendered with many others, it may have been let go of before it was shown.
  if (!clients.has(url)) keep(url, shared)
}

function keep(url: string, shared: Shared): void {
  clients.delete(url)
  clients.set(url, shared)
}

/**
 * Subscribes a component to a conversation. All behaviour is in the client's session, which outlives the component: an answer
 * goes on when the component unmounts, and mounting makes no request. The main conversation is kept until it is closed. A named one
 * that nobody shows is let go of after `gcMs`: it comes back with its messages, from the client or from the storage of `persist`;
 * without `persist`, only the 1 000 that were let go of last do.
 *
 * A session that is closed is followed by the next one of its name. If the client is closed, the snapshot says so (`error.code` is
 * `closed`), and the actions throw; no render does.
 * @returns The snapshot and the actions; the same object until something changes.
 * @public
 */
export function useChatStream(options: UseChatStreamOptions): UseChatStreamResult {
  const url = 'url' in options ? options.url : undefined
  const shared = url === undefined ? undefined : sharedBy(url)
  const { client } = 'client' in options ? options : shared!
  const { session: name } = options
  useStableClient(client)
  const subscribe = useCallback(
    (listener: () => void) => {
      const leave = subscribeByName(client, name, listener)
      if (shared) show(url!, shared, 1)
      return () => {
        if (shared) show(url!, shared, -1)
        leave()
      }
    },
    [client, name, shared, url],
  )
  const getSnapshot = useCallback(() => client.session(name).getSnapshot(), [client, name])
  const snapshot = useSyncExternalStore(subscribe, getSnapshot, () => emptySnapshot)
  const actions = useMemo(() => actionsOf(client, name), [client, name])
  return useMemo(() => ({ ...snapshot, ...actions }), [snapshot, actions])
}

/** Subscribes to whatever session has the name: when one was closed, to the next one. */
function subscribeByName(client: ChatClient, name: string | undefined, listener: () => void): () => void {
  let session: ChatSession | undefined
  let leave = (): void => {}
  const follow = (): void => {
    const now = client.session(name)
    if (now === session) return
    leave()
    session = now
    leave = now.subscribe(heard)
  }
  const heard = (): void => {
    follow()
    listener()
  }
  follow()
  return () => leave()
}

type Actions = Omit<UseChatStreamResult, keyof ChatSnapshot>

/** An action finds its session when it is called: rendering on a server makes none. */
function actionsOf(client: ChatClient, name: string | undefined): Actions {
  const session = (): ChatSession => client.session(name)
  return {
    send: (text) => session().send(text),
    takeBack: (id) => session().takeBack(id),
    interrupt: () => session().interrupt(),
    clear: () => session().clear(),
    continue: () => session().continue(),
    edit: (messageId, text) => session().edit(messageId, text),
    regenerate: () => session().regenerate(),
  }
}

/** So many renders in a row with another client each are no change of mind. */
const fewChanges = 3

/**
 * Tells the developer of a client that is made in the component: each render would show another, empty conversation. Counts
 * renders, as no render may ever be committed: a store that is another one in each has React render over and over.
 */
function useStableClient(client: ChatClient): void {
  /* eslint-disable react/refs -- what it counts are renders, and nothing that is shown depends on it */
  const { current: seen } = useRef<{ client?: ChatClient; changes: number }>({ changes: 0 })
  seen.changes = seen.client && seen.client !== client ? seen.changes + 1 : 0
  seen.client = client
  if (seen.changes !== fewChanges) return
  /* eslint-enable react/refs */
  console.error(
    'useChatStream got another client in each render, so that what is said is never shown. ' +
      'Create the client outside of the component, or pass `url`.',
  )
}
