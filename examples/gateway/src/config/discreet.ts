import { jsonSchema, type Outline } from './outline.ts'

/**
 * Keys and values of the file that may be printed. A secret may stand anywhere in it: behind the wrong key, as a key, in a list,
 * where a section belongs. So text is only shown that is a word of the schema's, or can hardly be more than a slip of one.
 */

/** Stands for what is not shown; the line and the column say where it is. */
export const hidden = '…'

let known: ReadonlySet<string> | undefined

/** Every key of the schema. */
function knownKeys(): ReadonlySet<string> {
  if (known) return known
  const keys = new Set<string>()
  const collect = (outline: Outline): void => {
    for (const [key, inner] of Object.entries(outline.properties ?? {})) {
      keys.add(key)
      collect(inner)
    }
    for (const inner of [outline.items, outline.additionalProperties, ...(outline.anyOf ?? [])])
      if (typeof inner === 'object') collect(inner)
  }
  collect(jsonSchema())
  return (known = keys)
}

/** A key of the file, as far as it may be shown. */
export function discreetKey(key: string): string {
  return knownKeys().has(key) || /^[a-z]{1,12}(?:_[a-z]{1,12}){0,2}$/i.test(key) ? key : hidden
}

/** A name of the user's choice, of a model or a header. A word of a secret is longer than those of a name. */
export function discreetName(name: string): string {
  const words = name.split(/[^a-z0-9]+/i)
  const isName = name.length <= 48 && !/^(?:sk|pk|gh[a-z]|xox[a-z]|hf|key)[-_]/i.test(name)
  return isName && words.every((word) => word.length <= 12) ? name : hidden
}

/** The name of a variable of the environment, unless it looks as if its value had been written in its place. */
export function discreetVariable(name: string): string {
  return name.length <= 40 && name.split('_').every((word) => /^[a-z]{0,14}\d{0,2}$/i.test(word)) ? name : hidden
}

/** Whether a text may be shown as what somebody wrote instead of a word that is known: hardly longer than that word, or a sign. */
export function isSlip(text: string, word: string | undefined): boolean {
  return text.length <= 3 || (word !== undefined && text.length <= word.length + 3)
}

/** A sentence of somebody else, without any text of the file. */
export function withoutTexts(sentence: string, value: unknown): string {
  const texts: string[] = []
  const collect = (inner: unknown): void => {
    if (typeof inner === 'string') texts.push(inner)
    else if (typeof inner === 'object' && inner !== null) {
      for (const [key, below] of Object.entries(inner)) {
        if (!knownKeys().has(key)) texts.push(key)
        collect(below)
      }
    }
  }
  collect(value)
  texts.sort((a, b) => b.length - a.length)
  return texts.filter(({ length }) => length > 5).reduce((left, text) => left.replaceAll(text, hidden), sentence)
}
