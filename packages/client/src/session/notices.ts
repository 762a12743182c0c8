import { toErrorBody, type ChatError, type ErrorBody } from '@midstream/core'
import type { SessionHandle } from '../extension.ts'
import { tell } from './schedule.ts'
import type { Store } from './store.ts'

/** Tells of what costs no message: once by `onError`, and in the snapshot until it is withdrawn. */
export function createNotices(
  store: Store,
  onError: (error: ChatError) => void,
): Pick<SessionHandle, 'report' | 'withdraw'> {
  /** What was last told of each kind, and whether it is shown; the newest last. */
  const told = new Map<string, { readonly error: ChatError; readonly notice: ErrorBody | null }>()
  const show = (): void => {
    const notice = [...told.values()].findLast((each) => each.notice)?.notice ?? null
    if (notice === store.state.snapshot.notice) return
    store.step({ type: 'show', notice })
    store.publish()
  }
  return {
    report(error, isShown = true) {
      const { code, message } = error
      if (told.get(code)?.error.message === message) return
      told.delete(code)
      told.set(code, { error, notice: isShown ? toErrorBody(error) : null })
      tell(() => onError(error))
      show()
    },
    withdraw(code) {
      told.delete(code)
      show()
    },
  }
}
