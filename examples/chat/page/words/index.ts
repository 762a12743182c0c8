import { en } from './en.ts'
import { languageOf, type Language } from './language.ts'
import type { Words } from './words.ts'
import { zh } from './zh.ts'

export const dictionary: Readonly<Record<Language, Words>> = { en, zh }

/** The language of this browser. */
export const language: Language = languageOf(navigator.languages)

export const words: Words = dictionary[language]
