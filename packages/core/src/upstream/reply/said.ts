import { isRecord, text } from '../../wire/json.ts'
import type { UpstreamEvent } from '../upstream.ts'
import { hasWords } from './lost-words.ts'

/** Parts in parts: deeper than that nobody says anything. */
const maxDepth = 4

/** What content says: a text, a part, or a list of parts, as the servers of all kinds write them. */
export function contentEvents(content: unknown, depth = 0): UpstreamEvent[] {
  if (typeof content === 'string') return content === '' ? [] : [{ message: content }]
  // Deeper than that nobody looks for it.
  if (depth > maxDepth) return hasWords(content) ? [{ malformed: 'a text in parts of parts' }] : []
  if (Array.isArray(content)) return content.flatMap((part: unknown) => contentEvents(part, depth + 1))
  // A token that a proxy has taken for a figure: how it was written, nobody knows.
  if (typeof content === 'number') return [{ malformed: `the figure ${content} in place of a text` }]
  if (!isRecord(content)) return []
  const { type } = content
  if (/^(?:thinking|reasoning|thought)/.test(text(type)) || content['thought'] === true) {
    const thinking = thoughts(content)
    return thinking === '' ? [] : [{ thinking }]
  }
  const kind = text(type)
  const isText = textTypes.test(kind) && !('mime_type' in content || 'mimeType' in content)
  const { text: words, output_text: output, refusal, content: inner, value, parts, delta, data } = content
  const said = words ?? output ?? refusal ?? inner ?? value ?? parts ?? (isText ? (delta ?? data) : undefined)
  const events = contentEvents(said, depth + 1)
  // Parts of other kinds, such as a picture, have no text. Of any that nobody knows, the words are lost.
  const isLost = events.length === 0 && !otherTypes.test(kind) && hasWords(content)
  return isLost ? [{ malformed: JSON.stringify(content).slice(0, 200) }] : events
}

const textTypes = /^(?:|data|content|token|chunk|message|(?:output_)?text|(?:(?:output_)?text_)?delta)$/
const otherTypes =
  /image|audio|video|file|media|document|tool|function|call|result|search|citation|source|reference|annotation|status|event|step|signature|encrypted|redacted|resource/i

/** What a field says that holds thinking: a text, an object, or a list of them. */
export function thoughts(said: unknown, depth = 0): string {
  if (typeof said === 'string') return said
  if (depth > maxDepth) return ''
  if (Array.isArray(said)) return said.map((one: unknown) => thoughts(one, depth + 1)).join('')
  if (!isRecord(said)) return ''
  const { thinking, reasoning, text: words, summary, content } = said
  return thoughts(thinking ?? reasoning ?? words ?? summary ?? content, depth + 1)
}
