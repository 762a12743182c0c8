import type { Clock } from '../clock.ts'
import type { Run } from '../run/run.ts'
import { isChatError } from '../wire/errors.ts'
import type { GatewayRequest } from './request.ts'

/** Where an error came from. @public */
export interface ErrorContext {
  /** The request that was answered with an error because of it. */
  readonly request?: GatewayRequest | undefined
  /** The run that ended, or was ended by it. */
  readonly run?: Run | undefined
  /** Who started that run, as `authorize` said it. */
  readonly context?: unknown
}

/** @public */
export type ErrorListener = (error: unknown, context: ErrorContext) => unknown

/** Takes what functions of the app, and the gateway itself, throw: neither the process nor a request bears it, and nothing is swallowed. */
export interface AppErrors {
  /** Tells the app. Never throws. */
  report(error: unknown, context: ErrorContext): void
  /** Calls a function of the app. @returns When it is done, if that is later; never rejects. */
  guard(call: () => unknown, context: ErrorContext): Promise<void> | undefined
  /** Settles when all that was guarded has, however it ended. */
  settled(): Promise<void>
}

/** How long the same line is not printed again, ms. */
const quietMs = 60_000
/** Most different lines printed in that time. */
const maxLines = 20
/** Longest line, UTF-16 code units. */
const maxChars = 500

export function createAppErrors(onError: ErrorListener | undefined, clock: Clock): AppErrors {
  const pending = new Set<Promise<void>>()
  const print = createPrinter(clock)
  const track = (outcome: unknown, failed: (error: unknown) => void): Promise<void> | undefined => {
    if (!isThenable(outcome)) return undefined
    const settled: Promise<void> = Promise.resolve(outcome)
      .then(() => undefined, failed)
      .finally(() => pending.delete(settled))
    pending.add(settled)
    return settled
  }
  const report = (error: unknown, context: ErrorContext): void => {
    if (!onError) return print(error)
    const failed = (second: unknown): void => {
      print(second)
      print(error)
    }
    try {
      void track(onError(error, context), failed)
    } catch (second) {
      failed(second)
    }
  }
  return {
    report,
    guard(call, context) {
      try {
        return track(call(), (error) => report(error, context))
      } catch (error) {
        report(error, context)
        return undefined
      }
    },
    async settled() {
      // What is reported at the end of one may begin another.
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}

/** An error that a run ended with, and that no model server said: of the app's own upstream, or of the gateway. */
export function ownFault(run: Run): unknown {
  const { error } = run
  if (error === undefined) return undefined
  if (!isChatError(error)) return error
  if (error.code === 'internal') return error
  return error.code === 'upstream_failed' && error.cause instanceof Error ? error.cause : undefined
}

/** One line a cause, the same one once a minute. */
function createPrinter(clock: Clock): (error: unknown) => void {
  const printed = new Map<string, number>()
  return (error) => {
    const now = clock.now()
    for (const [line, at] of printed) if (now - at >= quietMs) printed.delete(line)
    const line = `midstream: ${written(error)}`.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, maxChars)
    if (printed.has(line) || printed.size >= maxLines) return
    printed.set(line, now)
    console.error(line)
  }
}

function written(error: unknown): string {
  try {
    let text = String(error)
    // Causes can go round.
    for (let at = error, i = 0; i < 5 && at instanceof Error && at.cause !== undefined; i++) {
      const cause: unknown = at.cause
      text += ` (because of ${String(cause)})`
      at = cause
    }
    return text
  } catch {
    return 'an error that cannot be written'
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
