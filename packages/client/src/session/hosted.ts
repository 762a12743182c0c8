import type { ChatSession } from '../chat-session.ts'
import type { GatewayLimits } from './limits.ts'

/** What the conversations of one client share. */
export interface SessionHost {
  /** Whether nobody looks at the session and nothing happens in it. Called whenever that may have changed. */
  rest(session: ChatSession, isAtRest: boolean): void
  /** The session is over. */
  closed(session: ChatSession): void
  /** Whether the client is closed: a session of it is closed from the beginning. */
  readonly isClosed: boolean
  readonly limits: GatewayLimits
}

/** A session, and what only its client may do with it. */
export interface HostedSession {
  readonly session: ChatSession
  /** Undoes its extensions: nothing outside holds it any more. It comes back when it is used. */
  letGo(): void
  /** How much of it is kept nowhere else, UTF-16 units of its JSON: all of it, or 0. */
  onlyCopyChars(): number
}
