import { ChatError, isChatError } from '@midstream/core'
import type { ChatClientOptions, RequestHeaders } from '../options.ts'
import { abortable, reasonOf } from './abort.ts'

type Headed = Record<string, string>

/**
 * Asks the app for its headers; at once, where it gives no promise.
 * @returns Names in lower case, so that what the client says takes the place of what the app says.
 * @throws {ChatError} `headers_failed`, or the app's own: it knows that asking again is in vain.
 */
export function ownHeaders(
  source: ChatClientOptions['headers'],
  signal: AbortSignal | undefined,
): Headed | Promise<Headed> {
  if (typeof source !== 'function') return checked(source)
  const failed = (cause: unknown): never => {
    if (!signal?.aborted && isChatError(cause)) throw cause
    if (signal?.aborted && !isChatError(reasonOf(signal))) throw cause
    const how = signal?.aborted ? 'did not settle in time' : `failed: ${wordsOf(cause)}`
    throw new ChatError('headers_failed', `The option \`headers\` ${how}`, { cause, retryable: true })
  }
  let given: ReturnType<typeof source>
  try {
    given = source()
  } catch (cause) {
    return failed(cause)
  }
  return isPromise(given) ? abortable(given, signal).then(checked, failed) : checked(given)
}

/** What has no value is not sent. Of one name, the values are joined, as `fetch` does it. */
function checked(headers: RequestHeaders | null | undefined): Headed {
  const all = new Map<string, string>()
  // A program without types may give anything.
  const given = (headers ?? {}) as object | string | number
  const isList = typeof given === 'object' && Symbol.iterator in given
  for (const pair of (isList ? given : Object.entries(given)) as Iterable<unknown>) {
    const isPair = Array.isArray(pair) && typeof given === 'object'
    const [name, value] = (isPair ? pair : ['', '']) as [string, string | null | undefined]
    if (value === undefined || value === null) continue
    const line = `${name}\n${value}`
    // `fetch` would call it a failure of the network. A line end behind a value it takes away itself.
    if (!/^[\w!#$%&'*+.^`|~-]+\n[\t\x20-\x7e\x80-\xff]*[\r\n]*$/.test(line))
      throw new ChatError(
        'headers_failed',
        `The option \`headers\` gives a name or a value that no header can have: ${name}`,
      )
    const [key = ''] = line.toLowerCase().split('\n')
    const before = all.get(key)
    all.set(key, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(all)
}

export const isPromise = <Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function'

export const wordsOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
