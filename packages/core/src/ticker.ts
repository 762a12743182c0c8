import type { Clock } from './clock.ts'

/** Waits are rounded up to a multiple of this, ms, so that the waits of many runs end together. */
const slotMs = 10

interface Wait {
  fire: (() => void) | undefined
}

/**
 * A clock for everything coarse (windows, pings, stalls, orphans, back-off): however many waits there are, one timer of the
 * clock below is armed. A wait ends up to 10 ms late, never early.
 *
 * A wait is an entry in the slot of its end. A slot is sorted into the heap of slots once, so a wait costs a constant.
 */
export function createTicker(clock: Clock): Clock {
  const slots = new Map<number, Wait[]>()
  /** A binary heap of the slots' ends: the first one is due first. */
  const heap: number[] = []
  let live = 0
  let armedFor = Infinity
  let disarm = (): void => {}

  const arm = (): void => {
    if (live === 0) {
      // Nothing waits: the process may end.
      slots.clear()
      heap.length = 0
      disarm()
      armedFor = Infinity
      return
    }
    const next = heap[0] ?? Infinity
    if (next >= armedFor) return
    disarm()
    armedFor = next
    disarm = clock.after(next - clock.now(), tick)
  }
  const tick = (): void => {
    armedFor = Infinity
    // Taken out first: what is set meanwhile, for now, waits until input has had its turn.
    const due = takeDue(clock.now())
    let next = 0
    try {
      while (next < due.length) end(due[next++]!)?.()
    } finally {
      // A callback that throws takes nobody else's turn.
      for (const wait of due.slice(next)) put(clock.now(), wait)
      arm()
    }
  }
  const takeDue = (now: number): readonly Wait[] => {
    let due: readonly Wait[] = []
    while (heap.length > 0 && heap[0]! <= now) {
      const at = pop(heap)
      const waits = slots.get(at)!
      slots.delete(at)
      due = due.length === 0 ? waits : [...due, ...waits]
    }
    return due
  }
  const put = (at: number, wait: Wait): void => {
    const end = Math.ceil(at / slotMs) * slotMs
    const slot = slots.get(end)
    if (slot) return void slot.push(wait)
    slots.set(end, [wait])
    push(heap, end)
  }
  const end = (wait: Wait): (() => void) | undefined => {
    const { fire } = wait
    if (fire) live -= 1
    wait.fire = undefined
    return fire
  }
  return {
    now: () => clock.now(),
    after(ms, fire) {
      const wait: Wait = { fire }
      put(clock.now() + Math.max(0, ms), wait)
      live += 1
      arm()
      return () => {
        if (end(wait) && live === 0) arm()
      }
    },
  }
}

const tickers = new WeakMap<Clock, Clock>()

/** The one ticker of a clock: what shares a clock shares its timer. */
export function tickerOf(clock: Clock): Clock {
  const known = tickers.get(clock)
  if (known) return known
  const ticker = createTicker(clock)
  tickers.set(clock, ticker)
  // A ticker is a clock, too: asked for its own, it gives itself.
  tickers.set(ticker, ticker)
  return ticker
}

function push(heap: number[], value: number): void {
  let at = heap.push(value) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent]! <= value) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = value
}

function pop(heap: number[]): number {
  const first = heap[0]!
  const last = heap.pop()!
  if (heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child += 1
    if (heap[child]! >= last) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}
