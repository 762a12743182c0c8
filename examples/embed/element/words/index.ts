import { en } from './en.ts'
import type { Words } from './words.ts'
import { zh } from './zh.ts'

/** The languages that the bubble speaks. */
export const dictionary: Readonly<Record<'en' | 'zh', Words>> = { en, zh }

/**
 * The language for a place in a page.
 * @param tags - BCP 47 tags, the nearest first: the element's own, the document's, the browser's. The first that is there
 * decides; English when the bubble does not speak it.
 */
export function languageOf(...tags: readonly (string | null | undefined)[]): keyof typeof dictionary {
  return /^zh\b/i.test(tags.find(Boolean) ?? '') ? 'zh' : 'en'
}
