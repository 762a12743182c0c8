import { once } from '../../once.ts'
import { isRecord, type Json } from '../../wire/json.ts'

/** Deeper than that, and in more fields than so many, nobody looks. */
const maxDepth = 4
const maxFields = 64

const words = (list: string): ReadonlySet<string> => new Set(list.split(' '))
/** A field whose name has one of these words in it says something about a reply, or of what was asked. */
const about = /* @__PURE__ */ once(() =>
  words(
    'alive annotation annotations audio base billing binary blob cache calls category channel citation citations comment context cost created currency ' +
      'details documents encrypted end eos error errors extra filter filters fingerprint finish function functions groq hash header headers heartbeat ' +
      'host image images info inline input keepalive label link log logprob logprobs logs meta metadata metrics mime node obfuscation padding phase ping ' +
      'prefill prompt provider query question queue rating ratings reason reasoning recipient references region request resp safety search ' +
      'seed service session signature source sources special stage stats status step stop summary system think thinking thought thoughts ' +
      'tier timing timings title tool tools top trace updated usage video warning warnings x',
  ),
)
/** And one whose name ends with one of these. */
const labels = /* @__PURE__ */ once(() =>
  words(
    'id ids uuid at call code date event file files format index kind lang language mode model name object p role state time timestamp type ' +
      'url uri user version',
  ),
)

/** Servers have few names, and say them again and again. */
const known = new Map<string, boolean>()
const maxKnown = 512

function isLabel(name: string): boolean {
  const found = known.get(name)
  if (found !== undefined) return found
  const parts = name
    .slice(0, 100)
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter(Boolean)
  const is = parts.length > 0 && (labels().has(parts.at(-1)!) || parts.some((part) => about().has(part)))
  if (known.size < maxKnown && name.length < 40) known.set(name, is)
  return is
}

/** Where a value has words, by the names of the fields that lead there. */
function placesOf(value: unknown, found: Set<string>, path = '', depth = 0): Set<string> {
  if (found.size >= maxFields || depth > maxDepth) return found
  if (typeof value === 'string') {
    if (value.trim() !== '') found.add(path)
  } else if (Array.isArray(value))
    for (const one of value.slice(0, maxFields)) placesOf(one, found, `${path}.`, depth + 1)
  // A token that is no text, such as that of the end.
  else if (isRecord(value) && value['special'] !== true) {
    for (const name of Object.keys(value).slice(0, maxFields))
      if (!isLabel(name)) placesOf(value[name], found, `${path}.${name}`, depth + 1)
  }
  return found
}

/** Whether there are words in it, in fields that are not named like what every server says about its replies. */
export function hasWords(place: unknown): boolean {
  return placesOf(place, new Set()).size > 0
}

/**
 * Whether something that nobody could read has words in it.
 * @param beside - What said something: a field that had words there, too, was none of its text.
 */
export function hasLostWords(place: Json, beside?: Json): boolean {
  const places = placesOf(place, new Set())
  if (places.size === 0) return false
  const known = placesOf(beside, new Set())
  for (const one of places) if (!known.has(one)) return true
  return false
}
