import { once } from '../../once.ts'
import { isRecord } from '../../wire/json.ts'

const unitMs: readonly (readonly [RegExp, number])[] = [
  [/^(?:ms|milli)/i, 1],
  [/^(?:s|秒)/i, 1_000],
  [/^(?:m|分)/i, 60_000],
  [/^(?:h|小时)/i, 3_600_000],
]
const sentence = /* @__PURE__ */ once(() => {
  const duration = String.raw`(?:\d{1,9}(?:\.\d{1,9})?\s{0,3}(?:ms|millis(?:econds?)?|milliseconds?|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|毫秒|秒钟?|分钟?|小时)(?![a-z])[\s,]{0,3}(?:and\s{1,3})?|\d{1,9}(?:\.\d{1,9})?\s{0,3}(?:h|m|s)(?=\d)){1,4}`
  return new RegExp(
    String.raw`(?:try(?:ing)?|retry|again|wait|available|resets?|cool-?down)[^.{}\d]{0,40}?(?:\b(?:after|in|for|wait)\b|again|:)[^.{}\d]{0,12}(${duration})|` +
      String.raw`\b(?:wait|retry|cool-?down)\b[^.{}\d]{0,20}(${duration})|请?(?:在|等待)?\s{0,3}(${duration})\s{0,3}(?:之?后|再试|重试)|` +
      // A length without a unit, as the header has it; and Python's way of writing Google's errors.
      String.raw`\bretry[ _-]after["']?:?[ "']{0,3}(\d{1,6})(?![\d.]|\s{0,3}[a-z%])|\bretry_?delay\W{1,20}seconds\W{1,5}(\d{1,9})`,
    'i',
  )
})
const piece = /(\d{1,9}(?:\.\d{1,9})?)\s{0,3}([a-z]+|毫秒|秒|分|小时)/gi

/** Most that a server may ask for, ms: more is no wait, but a date or nonsense. */
const maxWaitMs = 30 * 86_400_000
/** How deep, and how many values. */
const maxDepth = 6
const maxValues = 200

/** `1m30s`, `2.5 seconds`, `17s`. */
function durationMs(said: string): number | undefined {
  let ms = 0
  let isAny = false
  for (const [, figure, unit] of said.matchAll(piece)) {
    const one = unit === '毫秒' ? 1 : unitMs.find(([name]) => name.test(unit!))?.[1]
    if (one === undefined) return undefined
    ms += Number(figure) * one
    isAny = true
  }
  return isAny ? bounded(ms) : undefined
}

/** A wait that a server may ask for, ms, rounded up; undefined for what is none. */
export function bounded(ms: number): number | undefined {
  return ms >= 0 && ms <= maxWaitMs ? Math.ceil(ms) : undefined
}

/** When to ask again, as an error's fields or its words say it, ms: `retry_after` (s), `retryDelay: "17s"`, "try again in 20s". */
export function waitSaid(error: unknown, words: string): number | undefined {
  let left = maxValues
  const field = (value: unknown, depth: number): number | undefined => {
    if (depth > maxDepth || typeof value !== 'object' || value === null) return undefined
    for (const [name, one] of Object.entries(value)) {
      if (left-- <= 0) return undefined
      const ms = isWaitName(name) ? fieldMs(name, one) : field(one, depth + 1)
      if (ms !== undefined) return ms
    }
    return undefined
  }
  const found = isRecord(error) || Array.isArray(error) ? field(error, 0) : undefined
  if (found !== undefined) return found
  const [, ...said] = sentence().exec(words.slice(0, 2_000)) ?? []
  const given = said.find((one) => one !== undefined)
  if (given === undefined) return undefined
  return /^\d+$/.test(given) ? bounded(Number(given) * 1_000) : durationMs(given)
}

/** Fields that say when to ask again. Hugging Face's is the time that a model takes to load. */
const waitNames =
  /^(?:x[_-])?(?:re(?:try|sets?)[_-]?(?:after|delay|in)|wait[_-]?(?:time|for)?|cool[_-]?down|estimated[_-]?time)(?:[_-]?(?:ms|millis|milliseconds|seconds|secs?|s))?$/i

export function isWaitName(name: string): boolean {
  return name.length <= 40 && waitNames.test(name)
}

function fieldMs(name: string, value: unknown): number | undefined {
  // Google's durations, as an object.
  if (isRecord(value)) {
    const { seconds = 0, nanos = 0 } = value
    return seconds === 0 && nanos === 0 ? undefined : bounded(Number(seconds) * 1_000 + Number(nanos) / 1e6)
  }
  if (typeof value === 'string' && !/^\s*\d{1,12}(\.\d{1,9})?\s*$/.test(value)) return durationMs(value.slice(0, 100))
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  return bounded(Number(value) * (/(ms|millis|milliseconds)$/i.test(name) ? 1 : 1_000))
}
