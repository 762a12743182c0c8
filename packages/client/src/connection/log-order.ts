import type { LogEvent } from '@midstream/core'
import { units } from './read-events.ts'
import { droppedError } from './refusal.ts'
import type { Endpoint } from './request.ts'

/**
 * Tells where the events of a run's log stand. A frame's `id` is its position, unless a layer numbers frames itself. The log has
 * no gaps: an `id` that is not where the count stands is either of a layer, or a frame before it is lost. The next connection
 * tells: the gateway's ids begin where its first frame says, those of a layer are wrong again. Then events are counted.
 */
export interface LogOrder {
  /** A body begins. */
  begin(): void
  /** The body's first frame says where it begins. */
  starts(at: number): void
  /**
   * @param position - What is known already.
   * @returns The position after an event; undefined if it is left out.
   * @throws {ChatError} `dropped`: the next connection begins at `position`.
   */
  place(event: LogEvent, id: number | undefined, position: number): number | undefined
  /**
   * The body says that nothing more comes.
   * @throws {ChatError} `dropped` if something was left out of it that may be new.
   */
  settle(position: number): void
}

/** Endpoints with a layer in between that numbers frames itself. */
const renumbered = new WeakSet<Endpoint>()

/** How much doubt in a row is proof that ids are of a layer: two bodies with not one right id, or five that went right late. */
const proof = { isReached: 5, ofNone: 3, ofLate: 1 }
/** A body is given up after so many wrong ids before a right one. */
const maxMisses = 3

export function createLogOrder(endpoint: Endpoint): LogOrder {
  /** Where the body began, and where the count stands in it. */
  let start = 0
  let cursor = 0
  /** Whether an `id` of this body was right. */
  let isProven = false
  let misses = 0
  /** Whether something was left out as known because its `id` said so. */
  let hasRepeats = false
  let doubt = 0

  const fail = (more: number): never => {
    doubt += more
    if (doubt >= proof.isReached) renumbered.add(endpoint)
    throw droppedError()
  }
  return {
    begin() {
      start = cursor = misses = 0
      isProven = hasRepeats = false
    },
    starts(at) {
      start = cursor = at
    },
    place(event, id, position) {
      const size = units(event)
      const counted = cursor + size
      if (renumbered.has(endpoint)) return (cursor = counted)
      // A gateway whose first frame says nothing may begin where it was asked to.
      const isRight = id === counted || (cursor === 0 && id === position + size)
      if (id === undefined ? misses === 0 && !hasRepeats : isRight) {
        // What was left out before it may be missing.
        if (misses > 0) fail(proof.ofLate)
        if (id !== undefined) isProven = true
        cursor = id ?? counted
        if (isProven && cursor > position) doubt = 0
        return cursor
      }
      if (isProven) {
        if (id === undefined || id > position) fail(0)
        hasRepeats = true
      } else if (++misses >= maxMisses) fail(proof.ofNone)
      return undefined
    },
    settle(position) {
      if (misses > 0) fail(proof.ofNone)
      // By the count, all of the body was known, and the end is too near.
      if (hasRepeats || (cursor > start && cursor < position)) fail(0)
    },
  }
}
