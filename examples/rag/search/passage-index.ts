import MiniSearch from 'minisearch'
import type { Passage, Question } from './passage.ts'
import { indexTerms, isSingleHan, mayVary, questionTerms } from './terms.ts'

/** The full-text index, in memory. */
export interface PassageIndex {
  /** Puts a file's passages in the place of those that it had. */
  put(file: string, passages: readonly Passage[]): void
  /** Best first; of two that fit alike, the one whose id comes first. */
  search(question: Question, limit: number): Passage[]
  readonly size: number
}

/** Least part of a question's terms that a passage has to hold: one word in common is chance. */
const minShare = 0.34

/** What a term of the question before weighs. */
const contextWeight = 0.5

/** Longest question that is looked at, UTF-16 units, and most terms of it: people paste whole letters. */
const maxChars = 2_000
const maxTerms = 64

export function createPassageIndex(): PassageIndex {
  const index = new MiniSearch<Passage>({
    fields: ['title', 'text'],
    tokenize: indexTerms,
    processTerm: (term) => term,
    searchOptions: {
      boost: { title: 2 },
      prefix: (term) => mayVary(term) || isSingleHan(term),
      fuzzy: (term) => (mayVary(term) ? 0.2 : false),
    },
  })
  const byFile = new Map<string, readonly Passage[]>()
  const byId = new Map<string, Passage>()

  return {
    put(file, passages) {
      const before = byFile.get(file) ?? []
      // Not `discard`, whose leftovers are in the scores until they are cleaned up: equal documents give equal answers.
      index.removeAll([...before])
      for (const { id } of before) byId.delete(id)
      byFile.delete(file)
      if (passages.length === 0) return
      index.addAll(passages)
      for (const passage of passages) byId.set(passage.id, passage)
      byFile.set(file, passages)
    },
    search({ text, context = '' }, limit) {
      const own = questionTerms(text.slice(0, maxChars)).slice(0, maxTerms)
      const added = questionTerms(context.slice(0, maxChars)).filter((term) => !own.includes(term))
      const weights = new Map(added.slice(0, maxTerms).map((term) => [term, contextWeight]))
      for (const term of own) weights.set(term, 1)
      const weightOf = (terms: Iterable<string>): number =>
        [...terms].reduce((sum, term) => sum + (weights.get(term) ?? 0), 0)
      const least = weightOf(weights.keys()) * minShare
      const hits = index.search([...weights.keys()].join('\n'), {
        // A term may hold anything but a line end: it came out of the same segmenter.
        tokenize: (terms) => terms.split('\n').filter(Boolean),
        boostTerm: (term) => weights.get(term) ?? 1,
      })
      return hits
        .filter(({ queryTerms }) => weightOf(new Set(queryTerms)) >= least)
        .sort((a, b) => b.score - a.score || (String(a.id) < String(b.id) ? -1 : 1))
        .slice(0, limit)
        .map(({ id }) => byId.get(String(id))!)
    },
    get size() {
      return byId.size
    },
  }
}
