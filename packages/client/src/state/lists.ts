import type { ChatMessage } from '../message.ts'

/** What of a message is a list. */
export type ListName = 'toolCalls' | 'data'

/** Lists of a reply that grow. They become arrays when they are read: a copy at each event takes quadratic time. */
export type Lists = { readonly [Name in ListName]?: Growing | undefined }

/** The first so many of these items; what came later shares them. */
interface Growing {
  readonly items: unknown[]
  readonly length: number
  /** Once it was read: the same array each time. */
  whole?: readonly unknown[]
}

/** The lists with one more item in one of them; those before stay as they are. */
export function append(lists: Lists | undefined, name: ListName, first: readonly unknown[] = [], item: unknown): Lists {
  const { items, length } = lists?.[name] ?? { items: [...first], length: first.length }
  // Another list has grown from here.
  const own = items.length === length ? items : items.slice(0, length)
  own.push(item)
  return { ...lists, [name]: { items: own, length: length + 1 } }
}

/** A message with its lists. */
export function withLists(message: ChatMessage, lists: Lists): ChatMessage {
  const whole = { ...message }
  for (const name of ['toolCalls', 'data'] as const) {
    const list = lists[name]
    const get = (): readonly unknown[] => (list!.whole ??= list!.items.slice(0, list!.length))
    if (list) Object.defineProperty(whole, name, { get, enumerable: true })
  }
  return whole
}
