import type { Note } from '../reply-note.ts'

/** Everything the bubble says by itself. */
export interface Words {
  /** These three a page may say otherwise, by attributes of their names. */
  readonly heading: string
  readonly greeting: string
  readonly placeholder: string

  readonly you: string
  readonly assistant: string
  readonly unread: string
  readonly close: string
  readonly clear: string
  readonly send: string
  readonly stop: string
  readonly continue: string
  readonly retry: string
  readonly note: Readonly<Record<Note, string>>
}
