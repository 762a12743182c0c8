/** How a body or a reply ends: as a broken one, as if it were whole, or not at all until somebody gives it up. @public */
export type Ending = 'error' | 'close' | 'stall'

/** What can go wrong with a body as with a model server's reply. @public */
export interface Fault {
  /** It ends after so much: bytes of a body, events of a reply. A shorter one ends by itself. */
  readonly cutAt?: number | undefined
  /**
   * How it ends at `cutAt`; without `cutAt`, what happens at its own end: `stall` is a server that closes late.
   * @defaultValue 'error' with `cutAt`, else 'close'
   */
  readonly ending?: Ending | undefined
  /** Sizes of the pieces it comes in, over and over: `[1]` is every byte, or every event, by itself. */
  readonly split?: readonly number[] | undefined
}

/** A fault with its defaults, and its state. */
export interface FaultState {
  readonly ending: Ending
  /** What may still come before it ends; without a cut, everything. */
  left: number
  /** Whether `ending` is what happens now that no more comes. */
  isCut(): boolean
  nextSize(): number
}

/** @throws {RangeError} When a value makes no sense. */
export function startFault({ cutAt, ending, split = [] }: Fault): FaultState {
  if (cutAt !== undefined && !(cutAt >= 0)) throw new RangeError(`cutAt must be >= 0, got ${cutAt}`)
  for (const size of split) if (!(size >= 1)) throw new RangeError(`split must hold sizes >= 1, got ${size}`)
  let index = -1
  return {
    ending: ending ?? (cutAt === undefined ? 'close' : 'error'),
    left: cutAt ?? Infinity,
    isCut() {
      return cutAt === undefined || this.left === 0
    },
    nextSize() {
      index += 1
      return split[index % split.length] ?? Infinity
    },
  }
}

/** Rejects with the signal's reason once it aborts. */
export function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason as Error)
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
