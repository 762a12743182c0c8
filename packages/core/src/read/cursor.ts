import type { LogView } from '../run/log-view.ts'
import type { Progress } from '../wire/events.ts'
import type { Output } from './output/output.ts'

/** A place in a log, and what was told there: says what is to be read next, and never when. */
export interface Cursor {
  /** What waits: text, which bears a delay, or anything else, which flushes the text before it. */
  waiting(): 'text' | 'other' | undefined
  /** The terminal event has been read. */
  readonly isOver: boolean
  /** Everything up to the end of the log, as one text; empty when nothing is new. */
  read(now: number): string
  /** Whether the last `read` took something for which the next one is to wait. */
  readonly tookText: boolean
}

export function createCursor(
  view: LogView,
  output: Output,
  options: { position: number; heartbeatMs: number },
): Cursor {
  const { log } = view
  let position = log.place(options.position)
  /** Changes of the run's state that the reader was told of; -1 before the first frame. */
  let told = -1
  let toldProgress: Progress | undefined

  const isFurther = (): boolean => view.progress !== undefined && view.progress !== toldProgress
  const text = (): string => {
    const entries = log.read(position)
    position = log.length
    return entries.length === 1 ? output.entry(entries[0]!) : entries.map(output.entry).join('')
  }
  const cursor = {
    isOver: false,
    tookText: false,
    waiting() {
      if (cursor.isOver) return undefined
      if (told !== view.changes || log.urgentTo > position) return 'other'
      // Figures come as often as text does, and are as urgent.
      return log.length > position || isFurther() ? 'text' : undefined
    },
    read(now: number) {
      const { state, changes, progress } = view
      const start = told === -1 ? output.start(view, position, options.heartbeatMs) : ''
      const isNew = told !== changes
      const status = isNew || isFurther() ? output.state(state, progress, now) : ''
      const said = log.length > position ? text() : ''
      cursor.tookText = said !== '' || (status !== '' && progress !== undefined)
      told = changes
      if (status !== '') toldProgress = progress
      cursor.isOver = state.phase === 'ended'
      // `generating` alone comes before the text that it announces.
      return state.phase === 'generating' && isNew ? start + status + said : start + said + status
    },
  }
  return cursor
}
