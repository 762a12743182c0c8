import { once } from '../../once.ts'
import { refusesContinuation } from '../reply/refuses-continuation.ts'
import type { Dialect } from './dialect.ts'

/** What servers say of a field that they do not know, or not there. */
const unknown =
  '(?:un(?:supported|known|recogni[sz]ed|expected)|forbidden|(?:not|only) (?:be )?(?:support|permitt|allow|enabl|avail))'

/**
 * Whether what a server of this dialect said means that it cannot be asked that way: sentences that say so, or, where it refused
 * the request, the name of a field that asks that way right beside words for what it does not know. Bodies repeat what they were
 * sent, and so a name alone tells nothing.
 */
export function createRefusal({
  continuation,
  refusals,
  think,
}: Pick<Dialect, 'continuation' | 'refusals' | 'think'>): (said: string, isRejected: boolean) => boolean {
  const fields = Object.keys({ ...continuation?.body, ...continuation?.message, ...think.off })
    .map((name) => name.replaceAll(/\W/g, String.raw`\$&`))
    .join('|')
  const unknownField = once(() => {
    // As a key it is an echo of the request.
    const name = `\\b(?:${fields})\\b(?!\\\\?["']\\s*:)`
    return new RegExp(`${name}[^{}]{0,60}${unknown}|${unknown}[^{}]{0,60}${name}`, 'i')
  })
  return (said, isRejected) => {
    if (refusesContinuation(said) || (refusals && said.search(refusals) >= 0)) return true
    return isRejected && continuation !== null && fields !== '' && unknownField().test(said)
  }
}
