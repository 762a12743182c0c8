import { ChatError } from '@midstream/core'
import type { Upstream } from '@midstream/core/upstream'
import type { PassageSource, Question } from '../search/passage.ts'
import { choosePassages, type Source } from './choose-passages.ts'
import { placePassages } from './place-passages.ts'
import { questionOf } from './question.ts'

export interface SourcesOptions {
  /** Most passages of one request. @defaultValue 5 */
  readonly maxPassages?: number | undefined
  /** Most text of passages in one request, UTF-16 units: 4 000 are about 1 000 tokens of English, up to 4 000 of Chinese. @defaultValue 4000 */
  readonly maxChars?: number | undefined
}

/** Questions whose passages are remembered. */
const maxRemembered = 256

/**
 * An upstream that answers from documents: it looks for passages that fit the last question, says first which they are
 * (`{"data":{"type":"sources","sources":[…]}}`, empty when nothing fits), and asks the inner upstream with the passages put before the
 * question. Nothing of them stays in the conversation.
 *
 * A reply that has begun goes on with the passages it began with, also when the documents have changed since.
 * @throws {RangeError} When an option makes no sense.
 */
export function withSources(upstream: Upstream, source: PassageSource, options: SourcesOptions = {}): Upstream {
  const { maxPassages = 5, maxChars = 4_000 } = options
  if (!(maxPassages >= 1)) throw new RangeError(`maxPassages must be >= 1, got ${maxPassages}`)
  if (!(maxChars >= 1)) throw new RangeError(`maxChars must be >= 1, got ${maxChars}`)
  const remembered = new Map<string, readonly Source[]>()

  const find = async (question: Question, hasBegun: boolean, signal: AbortSignal): Promise<readonly Source[]> => {
    const key = JSON.stringify(question)
    const before = hasBegun ? remembered.get(key) : undefined
    const sources = before ?? choosePassages(await search(question, signal), maxChars)
    remembered.delete(key)
    remembered.set(key, sources)
    if (remembered.size > maxRemembered) remembered.delete(remembered.keys().next().value!)
    return sources
  }
  const search = async (question: Question, signal: AbortSignal) => {
    try {
      return await unlessAborted(source.search(question, maxPassages, signal), signal)
    } catch (cause) {
      signal.throwIfAborted()
      // An answer without the documents would look like one from them.
      throw new ChatError('upstream_failed', 'The documents could not be searched.', { cause, retryable: true })
    }
  }
  return {
    name: upstream.name,
    model: upstream.model,
    open(request, sink, signal) {
      const question = questionOf(request.messages)
      if (question === undefined) return upstream.open(request, sink, signal)
      const ask = (sources: readonly Source[]): void => {
        // Whoever has gone meanwhile asks nobody.
        if (signal.aborted) return
        void sink.push([{ data: { type: 'sources', sources } }])
        upstream.open({ ...request, messages: placePassages(request.messages, sources) }, sink, signal)
      }
      find(question, request.prefill !== '', signal)
        .then(ask)
        .catch((error: unknown) => sink.end(error))
    },
    ...(upstream.status && { status: (signal) => upstream.status!(signal) }),
  }
}

/** Leaves work that does not know the signal. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
