import { toErrorBody, type ChatError, type ErrorBody } from '@midstream/core'
import type { SessionHandle } from '../extension.ts'
import { tell } from './schedule.ts'
import type { Store } from './store.ts'

/** Tells of what costs no message: once by `onError`, and in the snapshot until it is withdrawn. */
export function createNotices(
  store: Store,
  onError: (error: ChatError) => void,
): Pick<SessionHandle, 'report' | 'withdraw'> {
  /** What was last told of each kind, and what of it is shown, the newest last. */
  const told = new Map<string, string>()
  const notices = new Map<string, ErrorBody>()
  const show = (): void => {
    const notice = [...notices.values()].at(-1) ?? null
    if (notice === store.state.snapshot.notice) return
    store.step({ type: 'notice', notice })
    store.publish()
  }
  return {
    report(error, isShown = true) {
      const { code, message } = error
      if (told.get(code) === message) return
      told.set(code, message)
      tell(() => onError(error))
      if (!isShown) return
      notices.delete(code)
      notices.set(code, toErrorBody(error))
      show()
    },
    withdraw(code) {
      told.delete(code)
      notices.delete(code)
      show()
    },
  }
}
