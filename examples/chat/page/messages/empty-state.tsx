import { words } from '../words/index.ts'

/** What is shown before anything was said. */
export function EmptyState({ onAsk }: { readonly onAsk: (text: string) => void }): React.ReactNode {
  return (
    <div className="empty" data-testid="empty">
      <h2>{words.emptyTitle}</h2>
      <p>{words.emptyText}</p>
      <ul>
        {words.suggestions.map((text) => (
          <li key={text}>
            <button type="button" data-testid="suggestion" onClick={() => onAsk(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}
