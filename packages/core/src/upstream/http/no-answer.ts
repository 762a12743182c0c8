import type { ChatError } from '../../wire/errors.ts'

/** How deep an error's causes are looked at. */
const maxDepth = 5
/** Words of platforms by which a connection that was there has broken: the server took the request, and may have died of it. */
const broken = /reset|closed|hang up|hung up|terminated|aborted|EPIPE|UND_ERR_SOCKET/i

/**
 * Whether nobody took the request: no connection came about, as the platform's own error says. An answer with a status has the
 * server's words as its cause, whatever it says of a server behind it: a prompt that takes too long gets 504 or 524, too.
 */
export function hasNoAnswer({ code, cause }: Pick<ChatError, 'code' | 'cause'>): boolean {
  if (code !== 'upstream_unreachable' || !(cause instanceof Error)) return false
  let at: unknown = cause
  for (let depth = 0; depth < maxDepth && at instanceof Error; depth++) {
    if (broken.test(`${at.message} ${String('code' in at ? at.code : '')}`)) return false
    at = at.cause
  }
  return typeof at !== 'string'
}
