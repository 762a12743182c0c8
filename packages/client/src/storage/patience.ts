import type { Clock } from '@midstream/core'

/** Longest wait for a storage that answers by promises, ms. */
const patienceMs = 10_000

/** Callbacks for an answer of a storage: one of the first three is called once, and `late` may follow `slow`. */
export interface Answered<Value> {
  got(value: Value): void
  fail(cause: unknown): void
  /** It takes too long. */
  slow(): void
  late(value: Value): void
}

/** Goes on with an answer, at once where it is no promise. @returns Stops waiting for one that takes too long. */
export function withPatience<Value>(
  clock: Clock,
  ask: () => Value | PromiseLike<Value>,
  { got, fail, slow, late }: Answered<Value>,
): (() => void) | undefined {
  let answer: Value | PromiseLike<Value>
  try {
    answer = ask()
  } catch (cause) {
    fail(cause)
    return undefined
  }
  if (!isThenable(answer)) {
    got(answer as Value)
    return undefined
  }
  let isLate = false
  const onTime = clock.after(patienceMs, () => {
    isLate = true
    slow()
  })
  void Promise.resolve(answer).then(
    (value) => {
      onTime()
      ;(isLate ? late : got)(value)
    },
    (cause: unknown) => {
      onTime()
      if (!isLate) fail(cause)
    },
  )
  return onTime
}

export const isThenable = (value: unknown): boolean => typeof (value as { then?: unknown } | null)?.then === 'function'
