import type { Progress } from '@midstream/client'
import type { Problem } from '../problem.ts'
import type { ConnectionState } from '../status/use-connection.ts'

/** Everything the page says. */
export interface Words {
  readonly tagline: string
  readonly conversation: string
  readonly you: string
  readonly assistant: string
  readonly emptyTitle: string
  readonly emptyText: string
  /** Things that the embedded model can answer, too. */
  readonly suggestions: readonly string[]
  readonly label: string
  readonly placeholder: string
  readonly placeholderRunning: string
  readonly hints: readonly string[]
  readonly escapeInterrupts: string
  readonly escapeLeaves: string
  readonly send: string
  readonly interrupt: string
  readonly clear: string
  readonly waiting: string
  /** The model server is not there, and nothing has come yet. */
  readonly waitingForServer: string
  /** The model server went away in the middle of the answer. */
  readonly recovering: string
  /** What the model server is at, in whole percents where it tells. */
  readonly progress: Readonly<Record<Progress['stage'], (percent: number | undefined) => string>>
  readonly streaming: string
  readonly reconnecting: string
  readonly thinking: string
  readonly interrupted: string
  readonly atLimit: string
  readonly interruptedEmpty: string
  readonly image: string
  /** In place of what cannot be shown, for whatever reason. */
  readonly unshowable: string
  /** The conversation, or its oldest part, does not outlive a reload. */
  readonly notStored: string
  /** Some of what was stored made no sense. */
  readonly storedInvalid: string
  /** So many messages no longer go up. */
  readonly omitted: (count: number) => string
  readonly continue: string
  readonly tryAgain: string
  readonly edit: string
  readonly editing: string
  readonly leave: string
  readonly jump: string
  readonly model: string
  /** Which attempt to reconnect is on. */
  readonly attempt: (count: number) => string
  readonly connection: Readonly<Record<ConnectionState, string>>
  readonly problem: Readonly<Record<Problem, string>>
}
