import type { InterruptedBy } from '../wire/events.ts'
import type { ChatTurn } from '../wire/messages.ts'
import type { Partial } from './log-view.ts'
import type { RunState } from './run-state.ts'

/** A run's reply as a message of a history; `begun` is the text that the run grows. */
export function replyMessage(begun: string, { content, ...others }: Partial, state: RunState): ChatTurn {
  const terminal = state.phase === 'ended' ? state.terminal : undefined
  const isCut = terminal?.reason === 'interrupted' && isByPerson(terminal.by)
  return { role: 'assistant', content: begun + content, ...others, ...(isCut && { interrupted: true }) }
}

/** Whoever supersedes a run has cut it off, too: with the next question. */
export function isByPerson(by: InterruptedBy | null | undefined): boolean {
  return by === 'person' || by === 'superseded'
}
