import { once } from '../../once.ts'
import { meaningOf } from '../http/error-meaning.ts'

/** Longest line of plain words that is looked at, UTF-16 code units: what is longer is text. */
const maxChars = 200
/** Words of keep-alives, and of ends and stamps, which hold no text. All were seen in the wild. */
const empty = /* @__PURE__ */ once(
  () =>
    new Set(
      (
        'ping pong keep alive keepalive heartbeat heart beat hb noop processing openrouter waiting queued connected ok ' +
        'done end eof eos eot finish finished stop stopped complete completed t z utc gmt'
      ).split(' '),
    ),
)
/** Comments of the kind of `OPENROUTER PROCESSING`, of whatever proxy. */
const processing = /^\W{0,4}(?:[\w-]{1,40}\s){0,2}processing\W{0,4}$/i
/** What servers and proxies call a failure, whatever else they say. */
const failed =
  /\b(?:errors?|exception|failed|failure|fatal|panic|traceback|bad gateway|time-?out|timed out)\b|错误|失败|异常/i

/**
 * What a frame means that is no JSON, but a few words: a sign of life, an error, or `other`, which may be text that is lost.
 * @returns undefined for what is no plain words: it may be a piece of JSON, or a page.
 */
export function plainWords(said: string): 'alive' | 'error' | 'other' | undefined {
  if (said.length > maxChars || /[{}[\]"<\\]/.test(said)) return undefined
  if (/^[\s:.,*#=_|/\d+-]*$/.test(said) || processing.test(said)) return 'alive'
  const words = said.toLowerCase().split(/[^\p{L}\p{M}]+/u)
  if (words.every((word) => word === '' || empty().has(word))) return 'alive'
  return failed.test(said) || meaningOf('', said) !== 'upstream_failed' ? 'error' : 'other'
}
