/** The methods of `localStorage` that `persist` needs; they may be asynchronous. @public */
export interface ChatStorage {
  getItem(key: string): string | null | Promise<string | null>
  setItem(key: string, value: string): unknown
  removeItem(key: string): unknown
}

/** A storage, or how to come by one. */
export type StorageSource = 'local' | 'session' | ChatStorage | (() => ChatStorage | undefined) | undefined

/** @param fail - Told why there is none: reading `localStorage` throws in a sandboxed frame, and gives null in some WebViews. */
export function openStorage(
  source: StorageSource,
  fail: (message: string, cause?: unknown) => void,
): ChatStorage | undefined {
  try {
    const store: Partial<ChatStorage> | null | undefined =
      source === 'local'
        ? globalThis.localStorage
        : source === 'session'
          ? globalThis.sessionStorage
          : typeof source === 'function'
            ? source()
            : source
    const isWhole = [store?.getItem, store?.setItem, store?.removeItem].every((method) => typeof method === 'function')
    if (isWhole) return store as ChatStorage
    fail('There is no storage: the conversation is not kept')
  } catch (cause) {
    fail('The browser forbids the storage: the conversation is not kept', cause)
  }
  return undefined
}
