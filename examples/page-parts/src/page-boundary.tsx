import type { ReactNode } from 'react'
import { ErrorBoundary } from './error-boundary.tsx'

interface PageBoundaryProps {
  /** What is said when the page cannot be shown. */
  readonly text: string
  /** What the button is called that forgets the conversation. */
  readonly clear: string
  /** Forgets the conversation, which may be what cannot be shown. */
  readonly onClear: () => Promise<unknown>
  readonly children: ReactNode
}

/** In place of a page that throws: a sentence, and a button that forgets the conversation. A reload would throw again. */
export function PageBoundary({ text, clear, onClear, children }: PageBoundaryProps): ReactNode {
  const fallback = (_: null, retry: () => void): ReactNode => (
    <main className="unshowable" data-testid="unshowable">
      <p>{text}</p>
      <button type="button" data-testid="clear" onClick={() => void forget(onClear).then(retry)}>
        {clear}
      </button>
    </main>
  )
  return (
    <ErrorBoundary of={null} fallback={fallback}>
      {children}
    </ErrorBoundary>
  )
}

/** What throws on a conversation might throw on its end, too. */
async function forget(onClear: () => Promise<unknown>): Promise<void> {
  try {
    await onClear()
  } catch (error) {
    console.error(error)
  }
}
