import { isRecord, list, parsedJson, record, text, type Json } from '../../wire/json.ts'
import type { UpstreamEvent } from '../upstream.ts'

/** Parts in parts: deeper than that nobody says anything. */
const maxDepth = 4

/** What content says: a text, a part, or a list of parts, as the servers of all kinds write them. */
export function contentEvents(content: unknown, depth = 0): UpstreamEvent[] {
  if (typeof content === 'string') return content === '' ? [] : [{ message: content }]
  if (Array.isArray(content))
    return depth > maxDepth ? [] : content.flatMap((part: unknown) => contentEvents(part, depth + 1))
  // A token that a proxy has taken for a figure: how it was written, nobody knows.
  if (typeof content === 'number') return [{ malformed: `the figure ${content} in place of a text` }]
  if (!isRecord(content)) return []
  const { type } = content
  if (/^(?:thinking|reasoning|thought)/.test(text(type)) || content['thought'] === true) {
    const thinking = thoughts(content)
    return thinking === '' ? [] : [{ thinking }]
  }
  // Parts of other kinds, such as a picture, have no text.
  const said = content['text'] ?? content['output_text'] ?? content['refusal'] ?? content['content'] ?? content['value']
  return depth > maxDepth ? [] : contentEvents(said, depth + 1)
}

/** What a field says that holds thinking: a text, an object, or a list of them. */
export function thoughts(said: unknown, depth = 0): string {
  if (typeof said === 'string') return said
  if (depth > maxDepth) return ''
  if (Array.isArray(said)) return said.map((one: unknown) => thoughts(one, depth + 1)).join('')
  if (!isRecord(said)) return ''
  const { thinking, reasoning, text: words, summary, content } = said
  return thoughts(thinking ?? reasoning ?? words ?? summary ?? content, depth + 1)
}

/** Fragments of tool calls: a list, one call, an object of calls by their numbers, or the JSON of any of these. */
export function callFragments(given: unknown): readonly unknown[] {
  if (Array.isArray(given)) return given
  if (typeof given === 'string') {
    // What cannot be read is a fragment that is no call, which is said.
    if (given.trim() === '') return []
    const parsed = parsedJson(given)
    return isRecord(parsed) || Array.isArray(parsed) ? callFragments(parsed) : [given]
  }
  if (!isRecord(given)) return []
  if ('function' in given || 'name' in given || 'arguments' in given) return [given]
  return Object.entries(given).map(([index, call]) => (isRecord(call) ? Object.assign({ index }, call) : call))
}

/**
 * The one answer that counts where a server gives several: the one with the lowest number of those that come before anything is
 * said. A server may well give its only one the number 1.
 */
export function createChoice(): (choices: unknown, hasSaid: boolean) => Json | undefined {
  let chosen = Infinity
  const indexOf = ({ index }: Json): number => Number(index ?? 0) || 0
  return (choices, hasSaid) => {
    const all = isRecord(choices) ? [choices] : list(choices)
    if (all.length === 0) return undefined
    if (!hasSaid || chosen === Infinity) for (const choice of all) chosen = Math.min(chosen, indexOf(record(choice)))
    for (const choice of all) if (indexOf(record(choice)) === chosen) return record(choice)
    return record(undefined)
  }
}
