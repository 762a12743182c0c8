import type { ChatClient, ChatStatus } from '@midstream/client'
import { words } from '../words/index.ts'
import './status-bar.css'
import { useConnection, type ConnectionState } from './use-connection.ts'

interface StatusBarProps {
  readonly client: ChatClient
  /** The model of the last run. */
  readonly model: string | null
  readonly status: ChatStatus
  /** Which attempt to reconnect is on. */
  readonly attempt: number
}

/** The model's name and the state of the connection. */
export function StatusBar({ client, model, status, attempt }: StatusBarProps): React.ReactNode {
  // Asked anew after every run: an idle model has been loaded by it, and an error has a reason. So has waiting.
  const isOccasion = status === 'idle' || status === 'error' || status === 'waiting'
  const connection = useConnection(client, isOccasion ? status : null)
  const state = runState(status, attempt) ?? connection.state
  return (
    <footer className="status" data-testid="status" data-state={state} data-status={status}>
      <span className="model" data-testid="model">
        <span className="visually-hidden">{words.model}: </span>
        {model ?? connection.model}
      </span>
      <span className="connection">
        <span className="dot" aria-hidden="true" />
        <output>{words.connection[state]}</output>
        {/* Not read out: that it reconnects was said. */}
        {attempt > 0 && <span data-testid="attempt">{words.attempt(attempt)}</span>}
      </span>
    </footer>
  )
}

/** What a run shows of the connection. */
function runState(status: ChatStatus, attempt: number): ConnectionState | undefined {
  if (status === 'streaming') return 'ready'
  if (status !== 'reconnecting') return undefined
  // After a reload, nothing was lost yet.
  return attempt > 0 ? 'reconnecting' : 'connecting'
}
