import type { ChatStorage } from '../src/persist.ts'
import { turn, type memory } from './support.ts'

/** Storages that are full, slow, or both. */

/** A method of a storage that is full. */
export const full = (): never => {
  throw new DOMException('The quota has been exceeded.', 'QuotaExceededError')
}

/** A storage that answers by promises. */
export function slowly(storage: ReturnType<typeof memory>): ReturnType<typeof memory> {
  return {
    items: storage.items,
    getItem: async (key) => (await turn(), storage.getItem(key)),
    setItem: async (key, value) => (await turn(), storage.setItem(key, value)),
    removeItem: async (key) => (await turn(), storage.removeItem(key)),
  }
}

/** A storage that has room for an item as long as `fits` says so. */
export const bounded = (storage: ChatStorage, fits: (value: string) => boolean): ChatStorage => ({
  ...storage,
  setItem: (key, value) => (fits(value) ? storage.setItem(key, value) : full()),
})
