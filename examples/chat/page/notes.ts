import type { ChatSnapshot } from '@midstream/client'
import { words } from './words/index.ts'

/** What a person should know of the conversation that costs no message on the page. */
export function notesOf({ notice, omitted }: Pick<ChatSnapshot, 'notice' | 'omitted'>): readonly string[] {
  const notes = notice === null ? [] : [notice.code === 'stored_invalid' ? words.storedInvalid : words.notStored]
  return omitted > 0 ? [...notes, words.omitted(omitted)] : notes
}
