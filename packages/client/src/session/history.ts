import type { RequestLimits } from '@midstream/core'
import { toJson } from '../connection/request.ts'

/** What a gateway takes that has said nothing else yet: its defaults. */
export const presumedLimits: RequestLimits = { messages: 1_000, body_bytes: 1_048_576 }

/** What stands around the messages grows by `"omitted":123456,` and the like. */
const slackBytes = 64

const utf8 = /* @__PURE__ */ new TextEncoder()
export const bytesOf = (value: unknown): number => utf8.encode(toJson(value)).length

/**
 * Leaves out the oldest turns until a request is within the gateway's limits. A turn is a question with all that answers it,
 * tool calls included: it is left out whole. One that is too much by itself is left out wherever it stands; the last one never
 * is, and neither are system messages.
 * @param turns - The messages of each turn, as they travel; the last turn is what is asked now.
 * @param aroundBytes - What the body holds besides messages.
 * @returns Undefined when the last turn alone is too much.
 */
export function fitHistory(
  turns: readonly (readonly object[])[],
  aroundBytes: number,
  limits: RequestLimits,
): { readonly messages: readonly object[]; readonly omitted: number } | undefined {
  let room = limits.messages
  let bytes = limits.body_bytes - aroundBytes - slackBytes
  const wholeBytes = bytes
  const kept: (readonly object[])[] = []
  const sizes = turns.map((messages) => messages.reduce<number>((sum, message) => sum + bytesOf(message) + 1, 0))
  for (let at = turns.length - 1; at >= 0; at--) {
    const messages = turns[at]!
    const size = sizes[at]!
    if (messages.length > room || size > bytes) {
      if (at === turns.length - 1) return undefined
      // A turn that no request could hold hides none of those before it.
      if (messages.length > limits.messages || size > wholeBytes) continue
      break
    }
    room -= messages.length
    bytes -= size
    kept.unshift(messages)
  }
  const all = turns.reduce((sum, { length }) => sum + length, 0)
  const messages = kept.flat()
  return { messages, omitted: all - messages.length }
}
