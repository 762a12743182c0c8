import { once } from '../../once.ts'
import { meaningOf } from '../http/error-meaning.ts'

/** Longest line of plain words that is looked at, UTF-16 code units: what is longer is text. */
const maxChars = 200
/** Words of keep-alives, and of ends and stamps, which hold no text. All were seen in the wild. */
const empty = /* @__PURE__ */ once(
  () =>
    new Set(
      (
        'ping pong keep alive keepalive heartbeat heart beat hb noop processing openrouter waiting queued connected ok success working running ' +
        'pending undefined done end eof eos eot finish finished stop stopped complete completed t z utc gmt'
      ).split(' '),
    ),
)
/** Comments of the kind of `OPENROUTER PROCESSING`, of whatever proxy; and keep-alives that say more. */
const processing = /^\W{0,4}(?:[\w-]{1,40}\s){0,2}processing\W{0,4}$|^\W{0,4}(?:keep[ -]?alive|heart-?beat)\b/i
/** What servers and proxies call a failure, whatever else they say. */
const failed =
  /\b(?:errors?|exception|failed|failure|fatal|panic|traceback|bad gateway|time-?out|timed out)\b|错误|失败|异常/i
/** What they say while somebody waits. */
const waiting =
  /\b(?:queued?|queueing|queuing|wait(?:ing)?|processing|working|thinking|starting|preparing|initiali[sz]ing|warming|still)\b|排队|处理中|等待|思考中/i
const figures = /^[\s:.,*#=_|/\d+-]*$/
/** A piece of JSON, a page. */
const marks = /[{}[\]"<\\]/

/** What plain words mean: `other` may be text that is lost. undefined for what is no plain words. */
export type Words = 'alive' | 'error' | 'other' | undefined

/** Whether it is a few words, and nothing that may be a piece of JSON, or a page. */
export function isPlain(said: string): boolean {
  return said.length <= maxChars && !marks.test(said)
}

/** Whether plain words are a sign of life, whoever says them. */
export function isAlive(said: string): boolean {
  if (!isPlain(said)) return false
  if (figures.test(said) || processing.test(said)) return true
  const words = said.toLowerCase().split(/[^\p{L}\p{M}]+/u)
  return words.every((word) => word === '' || empty().has(word))
}

/** Whether words that are no error say that somebody has to wait. */
export function isWaiting(said: string): boolean {
  return waiting.test(said.slice(0, maxChars))
}

/** Whether words are a sentence, and not a piece of something that was cut, or packed. */
export function isSentence(said: string): boolean {
  const words = said.trim()
  return (/\p{L}/u.test(words) && /\S\s/.test(words) && !/\S{41}/.test(words)) || /[\u3040-\u9fff]/.test(words)
}

/**
 * What a frame means that is no JSON, but a few words: a sign of life, an error, or `other`, which may be text that is lost.
 * @returns undefined for what is no plain words: it may be a piece of JSON, or a page.
 */
export function plainWords(said: string): Words {
  return wordsOf(said, () => true)
}

/** @param mayLookUp - Whether its meaning may be looked up, which takes much longer than all else; asked once, and only if it is wanted. */
export function wordsOf(said: string, mayLookUp: () => boolean): Words {
  if (!isPlain(said)) return undefined
  if (isAlive(said)) return 'alive'
  return failed.test(said) || (mayLookUp() && meaningOf('', said) !== 'upstream_failed') ? 'error' : 'other'
}
