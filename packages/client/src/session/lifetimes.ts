import { systemClock, type Clock } from '@midstream/core'
import type { ChatSession } from '../chat-session.ts'
import type { HostedSession, SessionHost } from './hosted.ts'

/** Most conversations at rest that keep their channels and listeners before their time is up. */
const maxAtRest = 32

/** Most conversations at rest whose messages are kept here alone, and how much they may be, UTF-16 units of their JSON. */
const maxOnlyCopies = 1_000
const maxOnlyChars = 8_388_608

/** Holds the conversations of a client by name, and lets go those that nobody needs. */
export interface Lifetimes {
  get(name: string, create: (host: Omit<SessionHost, 'limits'>) => HostedSession): ChatSession
  close(): void
}

interface Held {
  /** Found again under its name as long as the app holds it. */
  readonly weak: Pick<WeakRef<ChatSession>, 'deref'>
  /** What keeps it; undefined once it was let go, unless nothing else has its messages. */
  strong: HostedSession | undefined
  /** Set while it is at rest. */
  disarm: (() => void) | undefined
}

/** The main conversation, of which there is one, stays; names can be without number. */
const main = ''

export function createLifetimes(clock: Clock, gcMs: number): Lifetimes {
  const all = new Map<string, Held>()
  /** Names of those at rest, the longest first. */
  const resting = new Set<string>()
  let isClosed = false
  /** Those that were let go and are the only copy, by name, with their size; the longest first. */
  const onlyCopies = new Map<string, number>()
  let onlyChars = 0
  // React Native has none before 0.84: there, a name stays as an empty entry.
  const gone =
    typeof FinalizationRegistry === 'undefined'
      ? undefined
      : new FinalizationRegistry((name: string) => {
          if (all.get(name)?.weak.deref() === undefined) all.delete(name)
        })

  const wake = (name: string, held: Held): void => {
    held.disarm?.()
    held.disarm = undefined
    resting.delete(name)
    forget(name)
  }
  const forget = (name: string): void => {
    onlyChars -= onlyCopies.get(name) ?? 0
    onlyCopies.delete(name)
  }
  const letGo = (name: string): void => {
    const held = all.get(name)
    if (!held) return
    wake(name, held)
    const { strong } = held
    if (!strong) return
    strong.letGo()
    const chars = strong.onlyCopyChars()
    if (chars === 0) return drop(held)
    onlyCopies.set(name, chars)
    onlyChars += chars
    for (const oldest of onlyCopies.keys()) {
      if (oldest === name || (onlyCopies.size <= maxOnlyCopies && onlyChars <= maxOnlyChars)) break
      forget(oldest)
      const longest = all.get(oldest)
      if (longest) drop(longest)
    }
  }
  const drop = (held: Held): void => void (held.strong = undefined)

  return {
    get(name, create) {
      const found = all.get(name)?.weak.deref()
      if (found) return found
      const own: { hosted?: HostedSession } = {}
      /** Calls that come before there is a session are made up for. */
      let atRest = false
      const rest = (session: ChatSession, isAtRest: boolean): void => {
        atRest = isAtRest
        const held = all.get(name)
        if (name === main || !held || held.weak.deref() !== session) return
        held.strong ??= own.hosted
        if (!isAtRest) return wake(name, held)
        if (held.disarm) return
        held.disarm = after(clock, gcMs, () => letGo(name))
        resting.add(name)
        const [oldest] = resting
        if (resting.size > maxAtRest && oldest !== undefined) letGo(oldest)
      }
      const hosted = create({
        rest,
        closed(session) {
          const held = all.get(name)
          if (held?.weak.deref() !== session) return
          wake(name, held)
          // Of a closed client it is found again, and says that it is closed.
          if (!isClosed) all.delete(name)
        },
        isClosed,
      })
      own.hosted = hosted
      const { session } = hosted
      all.set(name, { weak: weakly(session), strong: hosted, disarm: undefined })
      gone?.register(session, name)
      rest(session, atRest)
      return session
    },
    close() {
      isClosed = true
      for (const { weak } of all.values()) weak.deref()?.close()
    },
  }
}

/** Without weak references a session is held for as long as its client: two of one name would overwrite each other. */
const weakly = (session: ChatSession): Held['weak'] =>
  typeof WeakRef === 'undefined' ? { deref: () => session } : new WeakRef(session)

/** A timer that does not keep a process alive. */
function after(clock: Clock, ms: number, fire: () => void): () => void {
  if (ms === Infinity) return () => undefined
  if (clock !== systemClock) return clock.after(ms, fire)
  const timer: unknown = setTimeout(fire, Math.min(ms, longestTimeout))
  ;(timer as { unref?: () => void }).unref?.()
  return () => clearTimeout(timer as number)
}

/** A longer delay makes `setTimeout` fire at once. */
const longestTimeout = 2_147_483_647
