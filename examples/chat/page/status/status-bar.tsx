import type { ChatClient, ChatStatus } from '@midstream/client'
import { words } from '../words/index.ts'
import './status-bar.css'
import { useConnection, type ConnectionState } from './use-connection.ts'

interface StatusBarProps {
  readonly client: ChatClient
  /** The model of the last run. */
  readonly model: string | null
  readonly status: ChatStatus
}

/** The model's name and the state of the connection. */
export function StatusBar({ client, model, status }: StatusBarProps): React.ReactNode {
  // Asked anew after every run: an idle model has been loaded by it, and an error has a reason.
  const connection = useConnection(client, status === 'idle' || status === 'error' ? status : null)
  const state = runState(status) ?? connection.state
  return (
    <footer className="status" data-testid="status" data-state={state} data-status={status}>
      <span className="model" data-testid="model">
        <span className="visually-hidden">{words.model}: </span>
        {model ?? connection.model}
      </span>
      <span className="connection">
        <span className="dot" aria-hidden="true" />
        <output>{words.connection[state]}</output>
      </span>
    </footer>
  )
}

/** What a run shows of the connection. */
function runState(status: ChatStatus): ConnectionState | undefined {
  if (status === 'streaming') return 'ready'
  return status === 'reconnecting' ? 'reconnecting' : undefined
}
