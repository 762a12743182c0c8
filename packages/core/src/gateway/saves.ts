import type { Run } from '../run/run.ts'
import type { GatewayPolicy } from './options.ts'
import { within } from './within.ts'

/** The `onRunEnd`s that are not done: whoever goes on with a conversation waits for what it has to store. */
export interface Saves {
  /** Calls `onRunEnd` for a run. */
  begin(ended: Ended, call: () => unknown): void
  /** Settles when everything of a session is stored, or after `saveMs`, which the app is told. */
  settled(sessionId: string): Promise<void>
}

/** A run that has ended, and who started it. */
interface Ended {
  readonly run: Run
  readonly context: unknown
}

interface Save {
  readonly ended: Ended
  readonly done: Promise<unknown>
  isLate: boolean
}

export function createSaves({
  appErrors,
  clock,
  saveMs,
}: Pick<GatewayPolicy, 'appErrors' | 'clock' | 'saveMs'>): Saves {
  const pending = new Map<string, Set<Save>>()

  const wait = async (save: Save): Promise<void> => {
    if ((await within(clock, saveMs, save.done)) || save.isLate) return
    save.isLate = true
    appErrors.report(
      new Error(`onRunEnd has taken longer than ${saveMs} ms: nobody waits for it any longer.`),
      save.ended,
    )
  }
  return {
    begin(ended, call) {
      const { sessionId } = ended.run
      const done = appErrors.guard(call, ended)
      if (!done) return
      const of = pending.get(sessionId) ?? new Set<Save>()
      pending.set(sessionId, of)
      const save = { ended, done, isLate: false }
      of.add(save)
      void done.then(() => {
        of.delete(save)
        if (of.size === 0 && pending.get(sessionId) === of) pending.delete(sessionId)
      })
    },
    async settled(sessionId) {
      await Promise.all([...(pending.get(sessionId) ?? [])].map(wait))
    },
  }
}
