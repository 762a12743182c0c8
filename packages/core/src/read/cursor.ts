import type { LogView } from '../run/run.ts'
import type { Progress } from '../wire/events.ts'
import type { Output } from './output/output.ts'

/** A place in a log, and what was told there: says what is to be read next, and never when. */
export interface Cursor {
  /** What waits: text, which bears a delay, or anything else, which flushes the text before it. */
  readonly waiting: 'text' | 'other' | undefined
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
  let position = view.place(options.position)
  /** Changes of the run's state that the reader was told of; -1 before the first frame. */
  let told = -1
  let toldProgress: Progress | undefined
  let tookText = false
  let isOver = false

  const isFurther = (): boolean => view.progress !== undefined && view.progress !== toldProgress
  const text = (): string => {
    const entries = view.read(position)
    position = view.length
    return entries.length === 1 ? output.entry(entries[0]!) : entries.map(output.entry).join('')
  }
  return {
    get waiting() {
      if (isOver) return undefined
      if (told !== view.changes || view.urgentTo > position) return 'other'
      // Figures come as often as text does, and are as urgent.
      return view.length > position || isFurther() ? 'text' : undefined
    },
    get isOver() {
      return isOver
    },
    get tookText() {
      return tookText
    },
    read(now) {
      const { state, changes, progress } = view
      const start = told === -1 ? output.start(view, position, options.heartbeatMs) : ''
      const isNew = told !== changes
      const status = isNew || isFurther() ? output.state(state, progress, now) : ''
      const said = view.length > position ? text() : ''
      tookText = said !== '' || (status !== '' && progress !== undefined)
      told = changes
      if (status !== '') toldProgress = progress
      isOver = state.phase === 'ended'
      // `generating` alone comes before the text that it announces.
      return state.phase === 'generating' && isNew ? start + status + said : start + said + status
    },
  }
}
