import { isByPerson } from '../run/reply-message.ts'
import type { LastRun } from '../session/claim.ts'
import { hash64 } from '../wire/hash64.ts'
import type { ChatTurn } from '../wire/messages.ts'

/**
 * The history that goes up: with the gateway's own system prompt, and with the last reply marked as cut off when the
 * gateway knows that a person did so and the app did not say it.
 * @param lastRun - What is known of the last reply; null where it is no part of the history.
 */
export function askedHistory(
  messages: readonly ChatTurn[],
  lastRun: LastRun | null,
  system: string | undefined,
): readonly ChatTurn[] {
  const turns: ChatTurn[] = system === undefined ? [...messages] : [{ role: 'system', content: system }, ...messages]
  const at = turns.findLastIndex(({ role }) => role === 'assistant')
  const reply = turns[at]
  if (reply && lastRun && isByPerson(lastRun.interruptedBy) && hash64(reply.content) === lastRun.reply)
    turns[at] = { ...reply, interrupted: true }
  return turns
}
