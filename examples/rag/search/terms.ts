import { stopWords } from './stop-words.ts'

/** Knows where words end in languages without spaces; for the others, it knows marks such as those in `3.5` and `don't`. */
const segmenter = new Intl.Segmenter('zh', { granularity: 'word' })

const han = /\p{sc=Han}+/gu

/** Full-width letters and digits become the usual ones, capitals small. */
const folded = (text: string): string => text.normalize('NFKC').toLowerCase()

/**
 * The terms that a text is found by: words, and every pair of neighbours in Chinese. A dictionary splits the same word in
 * different ways, as its neighbours are; pairs are always there.
 */
export function indexTerms(text: string): string[] {
  const terms: string[] = []
  let at = 0
  const plain = folded(text)
  for (const { 0: run, index } of plain.matchAll(han)) {
    terms.push(...words(plain.slice(at, index)), ...pairs(run))
    at = index + run.length
  }
  terms.push(...words(plain.slice(at)))
  return terms
}

/**
 * The terms a question is about, each once: its words without those that say nothing. The dictionary finds Chinese words here, so
 * that no pair across two of them is asked for; what it left as single characters may be a word that it does not know.
 */
export function questionTerms(text: string): string[] {
  const terms = new Set<string>()
  const lone = new Set<string>()
  let singles = ''
  const endSingles = (): void => {
    if (isSingleHan(singles)) lone.add(singles)
    else for (const pair of pairs(singles)) terms.add(pair)
    singles = ''
  }
  for (const word of words(folded(text))) {
    const isSingle = isSingleHan(word)
    if (isSingle && !stopWords.has(word)) singles += word
    else endSingles()
    if (isSingle || stopWords.has(word)) continue
    for (const term of indexTerms(word)) terms.add(term)
  }
  endSingles()
  return [...(terms.size > 0 ? terms : lone)]
}

function words(text: string): string[] {
  return Array.from(segmenter.segment(text)).flatMap(({ segment, isWordLike }) => (isWordLike ? [segment] : []))
}

function pairs(run: string): string[] {
  const characters = Array.from(run)
  if (characters.length < 2) return characters
  return characters.slice(1).map((character, i) => characters[i]! + character)
}

/** Other forms of a word are close to it in scripts that write words with letters. */
export const mayVary = (term: string): boolean => /^\p{sc=Latin}{4,}$/u.test(term)

/** A single Chinese character is looked for at the beginning of pairs. */
export const isSingleHan = (term: string): boolean => /^\p{sc=Han}$/u.test(term)
