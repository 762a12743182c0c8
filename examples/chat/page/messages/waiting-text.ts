import type { ChatStatus, Progress, StatusEvent } from '@midstream/client'
import type { Words } from '../words/words.ts'

/** What an answer that is still being made is waiting for, in the words of the page. */
export function waitingText(words: Words, status: ChatStatus, run: StatusEvent | null): string {
  if (status === 'reconnecting') return words.reconnecting
  if (run?.progress) return words.progress[run.progress.stage](percentOf(run.progress))
  if (run?.status === 'recovering') return words.recovering
  if (run?.attempt !== undefined) return words.waitingForServer
  return status === 'streaming' ? words.streaming : words.waiting
}

/** Whole percents; undefined when the server gives no figures, or odd ones. */
function percentOf({ done, total }: Progress): number | undefined {
  if (done === undefined || total === undefined || !(total > 0)) return undefined
  return Math.max(0, Math.min(100, Math.floor((done / total) * 100)))
}
