import type { Ref } from 'react'
import { words } from '../words/index.ts'
import './composer.css'
import { isSendKey } from './send-key.ts'
import type { Draft } from './use-draft.ts'

interface ComposerProps {
  readonly ref: Ref<HTMLTextAreaElement>
  readonly draft: Draft
  /** What is to be said of the conversation, beside what its messages say. */
  readonly notes: readonly string[]
  /** An answer is on its way: it can be interrupted, and sending does so. */
  readonly isRunning: boolean
  readonly isEmpty: boolean
  readonly onSend: (text: string) => void
  readonly onInterrupt: () => void
  readonly onClear: () => void
}

/** The controls: what a person types, and what a person can do. */
export function Composer({
  ref,
  draft,
  notes,
  isRunning,
  isEmpty,
  onSend,
  onInterrupt,
  onClear,
}: ComposerProps): React.ReactNode {
  const { text, editing, setText, leave } = draft
  const hints = [...words.hints, editing === undefined ? words.escapeInterrupts : words.escapeLeaves]
  const isBlank = text.trim() === ''

  const submit = (): void => {
    if (!isBlank) onSend(text.trim())
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
      {/* There from the start: only then a screen reader hears what comes. */}
      <output className="notes" data-testid="notes">
        {notes.map((note) => (
          <span key={note}>{note}</span>
        ))}
      </output>
      {editing !== undefined && (
        <div className="editing" data-testid="editing">
          <p id="editing">{words.editing}</p>
          <button type="button" data-testid="leave" aria-keyshortcuts="Escape" onClick={leave}>
            {words.leave}
          </button>
        </div>
      )}
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
        aria-describedby={editing === undefined ? 'hint' : 'editing'}
        placeholder={isRunning ? words.placeholderRunning : words.placeholder}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <p id="hint" className="hint">
        {hints.map((hint) => (
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
