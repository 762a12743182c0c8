import type { ChatMessage, ChatSnapshot } from '@midstream/client'
import { followEnd } from '@midstream/example-page-parts/follow-end'
import { h } from './dom.ts'
import { noteOf } from './reply-note.ts'
import type { Words } from './words/words.ts'

/** The messages on the screen. */
export interface MessageList {
  readonly element: HTMLElement
  render(snapshot: ChatSnapshot, words: Words): void
  /** Goes to the end and stays there. */
  follow(): void
}

interface Row {
  readonly element: HTMLElement
  show(speaker: string, content: string, note?: string): void
}

/**
 * Creates the list. Text that does not change is not touched, so that it can be selected and read on.
 * @param actions - What stands below the last message.
 */
export function createMessageList(actions: HTMLElement): MessageList {
  const rows = new Map<string, Row>()
  const greeting = createRow('assistant')
  const attributes = { role: 'region', 'aria-labelledby': 'heading', tabindex: '0' }
  const element = h('div', 'messages', attributes, greeting.element, actions)

  const follower = followEnd(element)
  // A composer that grows and a window that shrinks take room away at the end.
  new ResizeObserver(() => follower.update()).observe(element)

  return {
    element,
    render({ messages, status }, words) {
      greeting.show(words.assistant, words.greeting)
      const gone = new Map(rows)
      for (const message of messages) {
        const { id, role, state, content } = message
        const row = rows.get(id) ?? createRow(role)
        // What is new is always at the end.
        if (!gone.delete(id)) actions.before(row.element)
        rows.set(id, row)
        row.element.setAttribute('part', `message ${role} ${state}`)
        const note = noteOf(message, status)
        row.show(role === 'user' ? words.you : words.assistant, content, note && words.note[note])
      }
      for (const [id, row] of gone) {
        row.element.remove()
        rows.delete(id)
      }
      follower.update()
    },
    follow: () => follower.follow(),
  }
}

function createRow(role: ChatMessage['role']): Row {
  const nodes = [h('span', 'away'), h('div', 'text', { dir: 'auto' }), h('div', 'note')]
  return {
    element: h('div', `message ${role}`, {}, ...nodes),
    show: (speaker, content, note = '') =>
      [`${speaker}: `, content, note].forEach((text, i) => setText(nodes[i]!, text)),
  }
}

/** Growing a text in place keeps what a person has selected of it. */
function setText(element: HTMLElement, text: string): void {
  const node = element.firstChild ?? element.appendChild(new Text())
  const shown = (node as Text).data
  if (text.startsWith(shown)) (node as Text).appendData(text.slice(shown.length))
  else (node as Text).data = text
}
