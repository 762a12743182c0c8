import { isDeeper, maxReplyDepth } from '../../wire/depth.ts'
import { isAlive, isPlain } from './plain-words.ts'
import { isRecord, parsedJson, type Json } from '../../wire/json.ts'

/** What servers of OpenAI's kind say last, also where a program wrote it as JSON, with more white space, or was cut off in it. */
const done = /^\s*["']?\[\s?DONE[^{]*$/i
/** What others say in its place: a word in brackets, or the token by which the model ended. */
const otherEnds =
  /^\s*["']?(?:\[\/?|<[/|]?|<\uff5c)\s?(?:done|end|eos|eof|eot|eot_id|eom|eom_id|stop|finish|finished|complete|completed|im_end|endoftext|end_?of_?(?:text|turn|stream|message)|end\u2581of\u2581sentence|return|s)\s?(?:\]|[|\uff5c]?>)["']?\s*$/i

/** Whether a frame says that the reply is over. */
export function isDone(said: string): boolean {
  // Most frames are objects, and none of those is one.
  return said[0] !== '{' && (done.test(said) || (said.length < 40 && otherEnds.test(said)))
}

/** What may stand between two objects in one frame: they were glued together, with or without the next frame's field. */
const gap = /^[\s,]*(?:data:\s*)?$/

/** A list that has begun, and stands on many lines. */
const listMarks = /^[\s,[\]]*$/

/** What may stand behind the last one. */
const rest = /^[\s,\]]*(?:data:\s*)?(?:\[DONE\]\s*)?$/

const mayBeJson = /^\s*[[{"\dtfn-]/

/**
 * The objects that a frame holds. Servers glue two of them together, write `NaN` and `Infinity` as Python does, leave line
 * breaks in strings bare, and put several chunks in a list.
 * @returns An empty list for a frame that can hold no text: a keep-alive such as `ping`, `null` or `[]`. undefined for one that
 * may have held some and cannot be read.
 */
export function readObjects(said: string): readonly Json[] | undefined {
  if (isDone(said) || listMarks.test(said)) return []
  if (isDeeper(said, maxReplyDepth)) return undefined
  let value: unknown
  // An exception takes much longer than to see that words are none.
  if (!mayBeJson.test(said) && isPlain(said)) return isAlive(said) ? [] : undefined
  try {
    value = JSON.parse(said)
  } catch {
    if (isAlive(said)) return []
    return !isPlain(said) && said.includes('{') ? looseObjects(said) : undefined
  }
  if (isRecord(value)) return [value]
  if (Array.isArray(value)) return value.every(isRecord) ? value : undefined
  return typeof value === 'string' && value !== '' ? undefined : []
}

/** One pass: whatever the text holds, each character is looked at once. */
function looseObjects(said: string): Json[] | undefined {
  const found: Json[] = []
  let written = ''
  let from = 0
  let depth = 0
  let isText = false
  const replace = (at: number, length: number, by: string): void => {
    written += said.slice(from, at) + by
    from = at + length
  }
  for (let i = 0; i < said.length; i++) {
    const letter = said[i]!
    if (isText) {
      if (letter === '\\') i += 1
      else if (letter === '"') isText = false
      else if (letter < ' ') replace(i, 1, `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
    } else if (letter === '"') isText = depth > 0
    else if (letter === '{') {
      if (depth === 0) {
        if (!gap.test(said.slice(from, i))) return undefined
        from = i
        written = ''
      }
      depth += 1
    } else if (letter === '}') {
      depth -= 1
      if (depth < 0) return undefined
      if (depth > 0) continue
      const value = parsedJson(written + said.slice(from, i + 1))
      if (!isRecord(value)) return undefined
      found.push(value)
      from = i + 1
    } else if (depth > 0 && (letter === 'N' || letter === 'I')) {
      const word = letter === 'N' ? 'NaN' : 'Infinity'
      if (!said.startsWith(word, i)) continue
      const sign = said[i - 1] === '-' ? 1 : 0
      replace(i - sign, word.length + sign, 'null')
      i += word.length - 1
    }
  }
  return depth === 0 && found.length > 0 && rest.test(said.slice(from)) ? found : undefined
}

/** Names of what holds text: two frames that were torn and glued are one object that has these twice. */
const holders = ['"choices":', '"message":', '"delta":', '"content":', '"response":', '"text":']

/** Whether an object has a field twice that may hold text: all but the last of these is lost. */
export function saysTwice(json: string): boolean {
  // Most frames have each only once, wherever that is.
  if (!holders.some((name) => isTwice(name, json))) return false
  const open: Set<string>[] = []
  for (let i = 0; i < json.length; i++) {
    const letter = json[i]
    if (letter === '{' || letter === '[') open.push(new Set())
    else if (letter === '}' || letter === ']') open.pop()
    else if (letter === '"') {
      const from = i
      for (i += 1; i < json.length && json[i] !== '"'; i++) if (json[i] === '\\') i += 1
      const name = json.slice(from, i + 1) + (json[i + 1] ?? '')
      if (!holders.includes(name)) continue
      if (open.at(-1)?.has(name)) return true
      open.at(-1)?.add(name)
    }
  }
  return false
}

/** Engines look for a text from its end much more slowly. */
function isTwice(name: string, json: string): boolean {
  const at = json.indexOf(name)
  return at >= 0 && json.includes(name, at + 1)
}
