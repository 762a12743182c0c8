import type { ChatClient, ChatMessage } from '@midstream/client'
import { useChatStream } from '@midstream/react'
import { useCallback, useEffect, useRef } from 'react'
import { Announcer } from './announcer.tsx'
import './chat-page.css'
import { Composer } from './composer/composer.tsx'
import { useDraft } from './composer/use-draft.ts'
import { EmptyState } from './messages/empty-state.tsx'
import { MessageList } from './messages/message-list.tsx'
import { notesOf } from './notes.ts'
import { StatusBar } from './status/status-bar.tsx'
import { words } from './words/index.ts'

/** The whole page: messages, controls, status. */
export function ChatPage({ client }: { readonly client: ChatClient }): React.ReactNode {
  const chat = useChatStream({ client })
  const { messages, status, runStatus, attempt, model, send, interrupt, clear, regenerate, edit, continue: goOn } = chat
  const notes = notesOf(chat)
  const draft = useDraft(messages)
  const { editing, setText, take, leave } = draft
  const textArea = useRef<HTMLTextAreaElement>(null)
  const isRunning = status !== 'idle' && status !== 'interrupting' && status !== 'error'

  /** A pressed button may be disabled or gone the next moment, and focus must not get lost. Touch would open the keyboard. */
  const focus = useCallback(() => {
    if (matchMedia('(hover: hover)').matches) textArea.current?.focus()
  }, [])
  const onInterrupt = useCallback(() => {
    void interrupt()
    focus()
  }, [interrupt, focus])
  const onEdit = useCallback(
    (message: ChatMessage) => {
      take(message)
      textArea.current?.focus()
    },
    [take],
  )
  const onSend = (text: string): void => {
    if (editing === undefined) {
      void send(text)
      setText('')
    } else {
      void edit(editing, text)
      leave()
    }
    focus()
  }
  const onContinue = (): void => {
    void goOn()
    focus()
  }
  const onTryAgain = (): void => {
    void regenerate()
    focus()
  }
  const onClear = (): void => {
    void clear()
    focus()
  }

  useEffect(() => {
    const onEscape = editing === undefined ? onInterrupt : leave
    if (onEscape === onInterrupt && !isRunning) return
    const onKeyDown = (event: KeyboardEvent): void => {
      // While composing, Escape belongs to the input method.
      if (event.key === 'Escape' && !event.isComposing && !event.defaultPrevented) onEscape()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [isRunning, editing, onInterrupt, leave])

  return (
    <div className="page">
      <header className="brand">
        <img className="brand-icon" src="/icon.svg" alt="" width="28" height="28" />
        <h1>Midstream</h1>
        <p>{words.tagline}</p>
      </header>
      <main className="conversation">
        {messages.length === 0 ? (
          <EmptyState onAsk={onSend} />
        ) : (
          <MessageList
            messages={messages}
            status={status}
            runStatus={runStatus}
            editing={editing}
            onEdit={onEdit}
            onContinue={onContinue}
            onTryAgain={onTryAgain}
          />
        )}
      </main>
      <Composer
        ref={textArea}
        draft={draft}
        notes={notes}
        isRunning={isRunning}
        isEmpty={messages.length === 0}
        onSend={onSend}
        onInterrupt={onInterrupt}
        onClear={onClear}
      />
      <StatusBar client={client} model={model} status={status} attempt={attempt} />
      <Announcer message={messages.at(-1)} />
    </div>
  )
}
