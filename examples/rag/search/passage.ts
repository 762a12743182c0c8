/** A piece of a document that is found, sent and shown as one. */
export interface Passage {
  /** Where it is, e.g. `handbook.md#L12-L20`: the same as long as the document is. */
  readonly id: string
  /** Path in the folder, with `/`. */
  readonly file: string
  /** The headings it stands under, from the document's own down. */
  readonly title: string
  /** First and last line in the file, from 1. */
  readonly from: number
  readonly to: number
  readonly text: string
}

/** What is looked for. */
export interface Question {
  readonly text: string
  /** What was asked before, where the question alone says too little; counts half, and never more than half of the question itself. */
  readonly context?: string | undefined
}

/** What finds passages: the folder of this example, or a database of the app's own. */
export interface PassageSource {
  /**
   * The passages that fit best, best first; none when nothing fits. The same for the same question as long as the documents
   * are. May leave off with any error when `signal` aborts.
   */
  search(question: Question, limit: number, signal: AbortSignal): Promise<readonly Passage[]>
}
