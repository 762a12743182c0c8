import type { ChatSnapshot } from '@midstream/client'
import { h } from './dom.ts'
import { createMessageList } from './message-list.ts'
import { actionsOf, isRunning } from './reply-note.ts'
import { isComposed, isSendKey } from './send-key.ts'
import css from './style.css?inline'
import type { Words } from './words/words.ts'

/** The buttons whose press needs nothing but itself. */
type ButtonName = 'clear' | 'close' | 'stop' | 'continue' | 'retry'

/** What a person can do. */
export interface ViewActions extends Readonly<Record<ButtonName, () => void>> {
  ask(text: string): void
  toggle(): void
}

/** The bubble and its panel. */
export interface View {
  /** What it says, and the BCP 47 tag of that. Comes before anything is rendered. */
  label(words: Words, language: string): void
  /** @param isUnread - An answer has ended while nobody looked. */
  render(snapshot: ChatSnapshot, isOpen: boolean, isUnread: boolean): void
  /** Moves the focus into the panel, or out of it to the bubble. */
  moveFocus(isOpen: boolean): void
  /** Tells a screen reader once. */
  announce(text: string): void
}

/** Builds the shadow tree. It holds no state of its own but what is being typed and how far is scrolled. */
export function createView(shadow: ShadowRoot, actions: ViewActions): View {
  // Not a style element, which a page's content security policy may forbid.
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(css)
  shadow.adoptedStyleSheets = [sheet]

  let isShown = false
  let words: Words
  const button = (name: ButtonName): HTMLButtonElement => {
    const element = h('button', `button ${name}`, { type: 'button' })
    element.addEventListener('click', () => {
      actions[name]()
      // The button may be gone now, and focus must not get lost.
      if (isShown) focusPanel()
    })
    return element
  }
  const clear = button('clear')
  const close = button('close')
  const goOn = button('continue')
  const retry = button('retry')
  const stop = button('stop')
  const send = h('button', 'button send')
  const heading = h('h2', 'heading', { id: 'heading' })
  const list = createMessageList(h('div', 'actions', {}, goOn, retry))
  const input = h('textarea', 'input', { rows: '2', enterkeyhint: 'send', autocomplete: 'off' })
  const form = h('form', 'composer', {}, input, stop, send)
  const panel = h(
    'div',
    'panel',
    { role: 'dialog', 'aria-labelledby': 'heading', tabindex: '-1' },
    h('div', 'header', {}, heading, clear, close),
    list.element,
    form,
  )
  const launcher = h('button', 'launcher', { type: 'button' })
  const live = h('div', 'away', { role: 'status' })
  const whole = h('div', 'whole', {}, panel, launcher, live)
  shadow.append(whole)

  // Touch would open the keyboard over what is to be read.
  const focusPanel = (): void => (matchMedia('(hover: hover)').matches ? input : panel).focus()
  const ask = (event: Event): void => {
    event.preventDefault()
    const text = input.value.trim()
    if (text !== '') {
      input.value = ''
      actions.ask(text)
      list.follow()
    }
  }

  launcher.addEventListener('click', actions.toggle)
  form.addEventListener('submit', ask)
  input.addEventListener('keydown', (event) => {
    if (isSendKey(event)) ask(event)
  })
  for (const type of ['keydown', 'keypress', 'keyup'] as const) {
    whole.addEventListener(type, (event) => {
      if (!isShown) return
      // From outside, a key that is typed here does not look like typing: a page's own keys would hear it.
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation()
      if (type === 'keydown' && event.key === 'Escape' && !isComposed(event)) actions.close()
    })
  }

  return {
    label(given, language) {
      words = given
      whole.lang = language
      heading.textContent = words.heading
      clear.textContent = words.clear
      close.textContent = words.close
      goOn.textContent = words.continue
      retry.textContent = words.retry
      stop.textContent = words.stop
      send.textContent = words.send
      input.ariaLabel = input.placeholder = words.placeholder
    },
    render(snapshot, isOpen, isUnread) {
      const { status, messages } = snapshot
      const { canContinue, canRetry } = actionsOf(messages.at(-1))
      const focused = shadow.activeElement
      isShown = isOpen
      panel.hidden = !isOpen
      launcher.ariaLabel = isUnread ? `${words.heading} (${words.unread})` : words.heading
      launcher.ariaExpanded = String(isOpen)
      launcher.toggleAttribute('unread', isUnread)
      clear.hidden = messages.length === 0
      goOn.hidden = !canContinue
      retry.hidden = !canRetry
      stop.hidden = !isRunning(status)
      list.render(snapshot, words)
      if (focused instanceof HTMLElement && focused.hidden) focusPanel()
    },
    moveFocus(isOpen) {
      list.follow()
      if (isOpen) focusPanel()
      else launcher.focus()
    },
    announce(text) {
      live.textContent = text
    },
  }
}
