import type { ChatMessage, ChatSnapshot } from '@midstream/client'
import { openConversation, type Conversation } from './conversation.ts'
import { endedReply, noteOf } from './reply-note.ts'
import { createView, type View } from './view.ts'
import { dictionary, languageOf } from './words/index.ts'
import type { Words } from './words/words.ts'

/**
 * `<midstream-chat>`: a bubble that opens a conversation with a gateway.
 *
 * Its conversation begins when it comes into a page and ends when it is taken out of it. It speaks to its page by
 * attributes and events: `midstream-message` with each question and each answer that has ended (`detail` is the
 * message), `midstream-toggle` when it was opened or closed (`detail.open`).
 */
export class MidstreamChat extends HTMLElement {
  static readonly observedAttributes: readonly string[] = [
    'endpoint',
    'keep',
    'open',
    'heading',
    'greeting',
    'placeholder',
    'lang',
  ]

  readonly #view: View
  #conversation: Conversation | undefined
  // These two are there from the moment on in which the conversation is.
  #shown!: ChatSnapshot
  #words!: Words
  #isUnread = false

  constructor() {
    super()
    this.#view = createView(this.attachShadow({ mode: 'open' }), {
      ask: (text) => this.#ask(text),
      // None of these rejects: each says in its reply what became of it.
      stop: () => void this.#conversation?.session.interrupt(),
      continue: () => void this.#conversation?.session.continue(),
      retry: () => void this.#conversation?.session.regenerate(),
      clear: () => void this.#conversation?.session.clear(),
      close: () => this.removeAttribute('open'),
      toggle: () => void this.toggleAttribute('open'),
    })
  }

  connectedCallback(): void {
    if (!this.#conversation) this.#begin()
  }

  disconnectedCallback(): void {
    // A page that moves an element takes it out and puts it in again.
    queueMicrotask(() => {
      if (!this.isConnected) this.#end()
    })
  }

  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (!this.#conversation || before === value) return
    if (name === 'endpoint' || name === 'keep') {
      this.#end()
      this.#begin()
    } else if (name !== 'open') this.#label()
    else if (before === null || value === null) this.#toggle()
  }

  #begin(): void {
    const endpoint = this.getAttribute('endpoint') || '/api/chat'
    this.#conversation = openConversation(endpoint, this.getAttribute('keep'), () => this.#change())
    this.#shown = this.#conversation.session.getSnapshot()
    this.#label()
  }

  #end(): void {
    this.#conversation?.close()
    this.#conversation = undefined
  }

  #ask(text: string): void {
    const session = this.#conversation?.session
    if (!session) return
    void session.send(text)
    this.#tell('message', session.getSnapshot().messages.at(-2))
  }

  #change(): void {
    if (!this.#conversation) return
    const before = this.#shown
    this.#shown = this.#conversation.session.getSnapshot()
    const ended = endedReply(before, this.#shown)
    if (ended && !this.hasAttribute('open')) this.#isUnread = true
    this.#render()
    if (!ended) return
    this.#view.announce(announcement(ended, this.#words))
    this.#tell('message', ended)
  }

  #toggle(): void {
    const isOpen = this.hasAttribute('open')
    const hadFocus = this.shadowRoot?.activeElement !== null
    this.#isUnread = false
    this.#render()
    if (isOpen || hadFocus) this.#view.moveFocus(isOpen)
    this.#tell('toggle', { open: isOpen })
  }

  #label(): void {
    const language = languageOf(this.closest('[lang]')?.getAttribute('lang'), navigator.language)
    const words = dictionary[language]
    const own = (name: 'heading' | 'greeting' | 'placeholder'): string => this.getAttribute(name) ?? words[name]
    this.#words = { ...words, heading: own('heading'), greeting: own('greeting'), placeholder: own('placeholder') }
    this.#view.label(this.#words, language)
    this.#render()
  }

  #render(): void {
    this.#view.render(this.#shown, this.hasAttribute('open'), this.#isUnread)
  }

  #tell(name: 'message' | 'toggle', detail: ChatMessage | { readonly open: boolean } | undefined): void {
    this.dispatchEvent(new CustomEvent(`midstream-${name}`, { detail, bubbles: true }))
  }
}

/** What a screen reader says of an answer, once: the deltas on the way there would only be noise. */
function announcement(message: ChatMessage, words: Words): string {
  const note = noteOf(message, 'idle')
  const said = note ? words.note[note] : ''
  return message.state === 'done' ? `${words.assistant}: ${message.content} ${said}` : said
}
