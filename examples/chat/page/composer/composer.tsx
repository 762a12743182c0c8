import { useState, type Ref } from 'react'
import { words } from '../words/index.ts'
import './composer.css'
import { isSendKey } from './send-key.ts'

interface ComposerProps {
  readonly ref: Ref<HTMLTextAreaElement>
  /** An answer is on its way: it can be interrupted, and sending does so. */
  readonly isRunning: boolean
  readonly isEmpty: boolean
  readonly onSend: (text: string) => void
  readonly onInterrupt: () => void
  readonly onClear: () => void
}

/** The controls: what a person types, and what a person can do. */
export function Composer({ ref, isRunning, isEmpty, onSend, onInterrupt, onClear }: ComposerProps): React.ReactNode {
  const [text, setText] = useState('')
  const isBlank = text.trim() === ''

  const submit = (): void => {
    if (isBlank) return
    setText('')
    onSend(text.trim())
  }
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (!isSendKey(event.nativeEvent)) return
    event.preventDefault()
    submit()
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <label className="visually-hidden" htmlFor="message">
        {words.label}
      </label>
      <textarea
        ref={ref}
        id="message"
        data-testid="composer"
        value={text}
        rows={2}
        // The one thing this page is for.
        // oxlint-disable-next-line jsx-a11y/no-autofocus
        autoFocus
        autoComplete="off"
        enterKeyHint="send"
        aria-describedby="hint"
        placeholder={isRunning ? words.placeholderRunning : words.placeholder}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <p id="hint" className="hint">
        {words.hints.map((hint) => (
          <span key={hint}>{hint}</span>
        ))}
      </p>
      <div className="buttons">
        <button type="submit" className="send" data-testid="send" disabled={isBlank}>
          {words.send}
        </button>
        <button
          type="button"
          className="interrupt"
          data-testid="interrupt"
          aria-keyshortcuts="Escape"
          disabled={!isRunning}
          onClick={onInterrupt}
        >
          {words.interrupt}
        </button>
        <button type="button" className="clear" data-testid="clear" disabled={isEmpty} onClick={onClear}>
          {words.clear}
        </button>
      </div>
    </form>
  )
}
