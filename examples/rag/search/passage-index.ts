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

/** Least part of a question's own terms, or of all that are searched for, that a passage has to hold: one word in common is chance. */
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
      const added = questionTerms(context.slice(0, maxChars))
        .filter((term) => !own.includes(term))
        .slice(0, maxTerms)
      // However much was said before, together it weighs no more than half of the question.
      const boost = contextWeight * Math.min(1, (own.length || added.length) / added.length)
      const hits = index.search([...own, ...added].join('\n'), {
        // A term may hold anything but a line end: it came out of the same segmenter.
        tokenize: (terms) => terms.split('\n').filter(Boolean),
        boostTerm: (term) => (own.includes(term) ? 1 : boost),
      })
      return hits
        .flatMap(({ id, score, queryTerms }) => {
          const found = new Set(queryTerms)
          const ownFound = own.filter((term) => found.has(term)).length
          const addedFound = added.filter((term) => found.has(term)).length
          const fitsAlone = own.length > 0 && ownFound >= own.length * minShare
          const all = own.length + contextWeight * added.length
          if (!fitsAlone && ownFound + contextWeight * addedFound < all * minShare) return []
          // MiniSearch has multiplied by the number of terms, whatever they weigh.
          return [{ id: String(id), score: (score / found.size) * (ownFound + boost * addedFound) }]
        })
        .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map(({ id }) => byId.get(id)!)
    },
    get size() {
      return byId.size
    },
  }
}
