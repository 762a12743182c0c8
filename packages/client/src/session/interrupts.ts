import type { InterruptResult } from '../chat-session.ts'
import { isHidden } from '../connection/page.ts'
import { tellInterrupt } from '../connection/tell-interrupt.ts'
import { confirmed, type Frozen, type Interrupts } from '../state/reply.ts'
import type { Shared } from './shared.ts'

/** How a person cuts in. */
export interface InterruptControl {
  /** Freezes the reply that grows, in this very tick, and has the gateway end its run. */
  interrupt(): Promise<InterruptResult>
  /** Freezes the reply that grows. @returns What the next request has to end. */
  cutIn(): Interrupts | undefined
  /** Has the gateway end a run that no request ends. */
  tell(ends: Interrupts, late?: () => void): ReturnType<typeof tellInterrupt>
  /** The last interrupt, until the gateway has confirmed it or a request carries it. */
  readonly unconfirmed: Promise<InterruptResult> | undefined
  /** A request carries the last interrupt. */
  forget(): void
}

/** @param stopReading - Gives up the reader of the run. */
export function createInterrupts(shared: Shared, stopReading: () => void): InterruptControl {
  const { store } = shared
  let unconfirmed: { readonly ends: Interrupts; readonly result: Promise<InterruptResult> } | undefined

  /**
   * Freezes the reply as it is shown and gives up its reader: six connections per origin must not make an interrupt
   * wait behind its own stream.
   */
  const freeze = (): Frozen | undefined => {
    const { state } = store
    if (!state.run) return undefined
    // A page that is hidden or lost its connection may show less than the person has seen elsewhere: it names no position.
    const isBehind = isHidden() || state.snapshot.status === 'reconnecting'
    const { snapshot, run } = isBehind ? state : store.shown
    const frozen: Frozen = {
      ends: { run_id: state.run.runId, position: isBehind ? undefined : run?.position },
      reply: { ...snapshot.messages.at(-1)!, state: 'interrupted', version: state.highest + 1 },
      run: state.run,
    }
    store.step({ type: 'freeze', reply: frozen.reply })
    stopReading()
    return frozen
  }

  const tell: InterruptControl['tell'] = (ends, late) => tellInterrupt(shared, ends, late)
  const confirm = (frozen: Frozen): Promise<InterruptResult> =>
    new Promise((resolve) => {
      const { ends, reply: asShown, run } = frozen
      const settle = async (outcome: InterruptResult['outcome'], reply = asShown): Promise<void> => {
        store.step({ type: 'confirm', frozen: asShown, reply })
        await store.painted()
        // A gateway that was not reached is told again, also by the next request.
        if (unconfirmed?.ends === ends && outcome !== 'unconfirmed') unconfirmed = undefined
        shared.lookAtRest()
        resolve({ outcome })
      }
      void tell(ends, () => void settle('unconfirmed')).then((answer) => {
        if (answer === 'gone') return settle('already_done')
        return answer ? settle(answer.outcome, confirmed(frozen, answer)) : settle('unconfirmed')
      })
      // The request that was to end another run may not have arrived.
      if (!run.isOpen && run.ask?.interrupts) void tell(run.ask.interrupts)
    })

  return {
    async interrupt() {
      const frozen = freeze()
      if (frozen) {
        unconfirmed = { ends: frozen.ends, result: shared.during(confirm(frozen)) }
        store.publish()
      }
      return unconfirmed?.result ?? { outcome: 'already_done' }
    },
    cutIn: () => freeze()?.ends ?? unconfirmed?.ends,
    tell,
    get unconfirmed() {
      return unconfirmed?.result
    },
    forget: () => void (unconfirmed = undefined),
  }
}
