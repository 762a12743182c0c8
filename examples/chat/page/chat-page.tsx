import type { ChatClient } from '@midstream/client'
import { useChatStream } from '@midstream/react'
import { useCallback, useEffect, useRef } from 'react'
import { Announcer } from './announcer.tsx'
import './chat-page.css'
import { Composer } from './composer/composer.tsx'
import { EmptyState } from './messages/empty-state.tsx'
import { MessageList } from './messages/message-list.tsx'
import { StatusBar } from './status/status-bar.tsx'
import { words } from './words/index.ts'

/** The whole page: messages, controls, status. */
export function ChatPage({ client }: { readonly client: ChatClient }): React.ReactNode {
  const { messages, status, model, send, interrupt, clear, regenerate } = useChatStream({ client })
  const textArea = useRef<HTMLTextAreaElement>(null)
  const isRunning = status !== 'idle' && status !== 'interrupting' && status !== 'error'

  /** A pressed button may be disabled the next moment, and focus must not get lost. Touch would open the keyboard. */
  const focus = useCallback(() => {
    if (matchMedia('(hover: hover)').matches) textArea.current?.focus()
  }, [])
  const onSend = useCallback(
    (text: string) => {
      void send(text)
      focus()
    },
    [send, focus],
  )
  const onInterrupt = useCallback(() => {
    void interrupt()
    focus()
  }, [interrupt, focus])
  const onClear = useCallback(() => {
    void clear()
    focus()
  }, [clear, focus])
  const onTryAgain = useCallback(() => {
    void regenerate()
    focus()
  }, [regenerate, focus])

  useEffect(() => {
    if (!isRunning) return
    const onKeyDown = (event: KeyboardEvent): void => {
      // While composing, Escape belongs to the input method.
      if (event.key === 'Escape' && !event.isComposing && !event.defaultPrevented) onInterrupt()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [isRunning, onInterrupt])

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
          <MessageList messages={messages} status={status} onTryAgain={onTryAgain} />
        )}
      </main>
      <Composer
        ref={textArea}
        isRunning={isRunning}
        isEmpty={messages.length === 0}
        onSend={onSend}
        onInterrupt={onInterrupt}
        onClear={onClear}
      />
      <StatusBar client={client} model={model} status={status} />
      <Announcer message={messages.at(-1)} />
    </div>
  )
}
