import { ChatError } from '../../wire/errors.ts'
import type { OpaqueData, ToolCall } from '../../wire/events.ts'
import { createId, type RandomBytes } from '../../wire/ids.ts'
import { isRecord, parsedJson, type Json } from '../../wire/json.ts'
import { isOpaque, jsonChars, opaqueOf } from '../../wire/opaque.ts'
import { callFragment } from './call-shapes.ts'
import { callArguments, createValueEnd, isNoArguments, type ValueEnd } from './call-arguments.ts'

/** A call while its fragments come. */
interface Begun {
  id: string
  name: string
  args: string
  end: ValueEnd
  /** Its name was said again, with nothing, once it was whole: another call of that name may begin. */
  isAgain: boolean
  /** What the server attached to it, and to its function, piece by piece. */
  readonly call: Json[]
  readonly function: Json[]
}

/** What unfinished calls may hold, UTF-16 code units: nobody else counts them before they are whole. */
const maxChars = 1_048_576
/** What a call holds besides its text, in the same units. */
const callChars = 64

/** Puts tool calls together: servers of OpenAI's kind send them in fragments. */
export interface ToolFragments {
  /**
   * @param fragments - Of one list: two that have names are two calls.
   * @throws {ChatError} `overflow` when the calls grow past 1 MiB.
   */
  push(fragments: readonly unknown[]): void
  /** How much of their arguments has come, UTF-16 code units. */
  chars(): number
  /** Calls that are not given out yet. */
  pending(): number
  /** The calls so far, in the order in which they began; `broken`: the fragments of the first one that is not whole. */
  end(): { readonly whole: readonly ToolCall[]; readonly broken: string | undefined }
}

export interface FragmentsOptions {
  readonly random?: RandomBytes | undefined
  /** Whose opaque data it is. Without it none is kept. */
  readonly from?: string | undefined
  /** What may be called, as the server was told: a name that comes in pieces is one of these. */
  readonly names?: ReadonlySet<string> | undefined
}

export function createToolFragments({ random, from, names }: FragmentsOptions = {}): ToolFragments {
  let calls: Begun[] = []
  const byIndex = new Map<number, Begun>()
  const byId = new Map<string, Begun>()
  const given = new Set<string>()
  /** The calls that a list has named so far. */
  const listed = new Set<Begun>()
  let chars = 0
  let held = 0

  const begin = (): Begun => {
    const call = { id: '', name: '', args: '', end: createValueEnd(), isAgain: false, call: [], function: [] }
    calls.push(call)
    held += callChars
    return call
  }
  /**
   * The call that a fragment belongs to. Some servers give every call the index 0, or none, or no ids, or an id of its own to
   * each fragment: then a name tells that a new call begins, unless the last one is still being written under that name.
   */
  const callOf = (index: number | undefined, id: string, name: string, piece: string): Begun => {
    const known = id === '' ? undefined : byId.get(id)
    const last = known ?? (index === undefined ? calls.at(-1) : byIndex.get(index))
    if (!last) return begin()
    const isOther = id !== '' && last.id !== '' && id !== last.id
    if (name === '' && last.isAgain && id === '' && piece.trim() !== '') {
      last.isAgain = false
      return Object.assign(begin(), { name: last.name })
    }
    // Without a name it can only go on with a call that has begun.
    if (name === '') return isOther && (last.end.isWhole || last.name === '') ? begin() : last
    if (isOther) return begin()
    if (last.name === '') return last
    const isSaid = !isNoArguments(last.args)
    const isSame = name === last.name
    if (listed.has(last)) return isSame && (known || (last.args !== '' && !last.end.isWhole)) ? last : begin()
    // The same call under the same id or index, said again: with nothing new, or with what its first fragment left open.
    if (isSame && (known ?? index) !== undefined && (piece === '' || piece === last.args || !isSaid)) {
      last.isAgain = piece === '' && isSaid && last.end.isWhole && !known
      return last
    }
    if (isSame && known && isNoArguments(piece)) return last
    if (last.end.isWhole) return begin()
    if (isSame) return last.args !== '' || index !== undefined || known ? last : begin()
    return last.args === '' && isNamePiece(last, name, piece, known ? 'id' : index) ? last : begin()
  }
  /** Whether a name goes on with that of a call which has no arguments yet. */
  const isNamePiece = (last: Begun, name: string, piece: string, by: unknown): boolean => {
    const isWhole = name.startsWith(last.name)
    const joined = isWhole ? name : last.name + name
    if (names?.has(last.name) && names.has(name)) return false
    if (names && [...names].some((one) => one.startsWith(joined))) return true
    if ((by !== undefined && isWhole) || /[\W_]$/.test(last.name) || /^[\W_]/.test(name)) return true
    // Nor does one that comes with all of its arguments.
    return (by === 'id' || (by !== undefined && last.id !== '')) && !isObject(piece)
  }
  const grow = (call: Begun, name: string, piece: string): void => {
    if (call.name === '' || (call.args === '' && name.startsWith(call.name))) call.name = name || call.name
    else if (call.args === '' && name !== call.name) call.name += name
    if (piece === '') return
    // All of them once more, or nothing in place of them.
    if (call.end.isWhole && (piece === call.args || (!isNoArguments(call.args) && isNoArguments(piece)))) return
    if (call.args !== '' && isNoArguments(call.args)) {
      call.args = ''
      call.end = createValueEnd()
    }
    call.args += piece
    call.end.push(piece)
    chars += piece.length
    held += piece.length
  }
  const take = (fragment: unknown): void => {
    if (fragment === null || fragment === undefined) return
    // Something that can be no call: it is said that it is not whole.
    if (!isRecord(fragment)) return void (begin().args = JSON.stringify(fragment).slice(0, 200))
    const { index, id, name, args, call: beside, function: inner } = callFragment(fragment)
    if (id === '' && name === '' && args === '') return
    const call = callOf(index, id, name, args)
    if (name !== '') listed.add(call)
    if (call.id === '' && id !== '') {
      call.id = id
      byId.set(id, call)
    }
    if (index !== undefined) byIndex.set(index, call)
    held += id.length + name.length
    grow(call, name, args)
    if (from !== undefined) held += attach(call, 'call', beside) + attach(call, 'function', inner)
    if (held > maxChars) throw new ChatError('overflow', `Tool calls are longer than ${maxChars} characters.`)
  }
  return {
    chars: () => chars,
    pending: () => calls.length,
    push(fragments) {
      listed.clear()
      for (const fragment of fragments) take(fragment)
    },
    end() {
      const made = calls.map((call) => ({ call, made: wholeCall(call) }))
      calls = []
      byIndex.clear()
      byId.clear()
      const broken = made.find((one) => one.made === undefined)?.call
      return {
        whole: made.flatMap((one) => one.made ?? []),
        broken: broken && `${broken.name}(${broken.args})`,
      }
    },
  }

  function wholeCall(begun: Begun): ToolCall | undefined {
    const args = callArguments(begun.args)
    if (begun.name === '' || args === undefined) return undefined
    // Two calls of one id could not be told apart by their results.
    const id = begun.id === '' || given.has(begun.id) ? createId('call', random) : begun.id
    given.add(id)
    const opaque = opaqueData(begun)
    return { id, name: begun.name, arguments: args, ...(opaque && { opaque }) }
  }
  function opaqueData(begun: Begun): OpaqueData | undefined {
    const [call, attached] = [joined(begun.call), joined(begun.function)]
    if (from === undefined || (!call && !attached)) return undefined
    const opaque = { from, ...(call && { call }), ...(attached && { function: attached }) }
    return isOpaque(opaque) ? opaque : undefined
  }
}

/** All pieces as one object; the last word counts. */
function joined(pieces: readonly Json[]): Json | undefined {
  return pieces.length === 0 ? undefined : Object.fromEntries(pieces.flatMap((piece) => Object.entries(piece)))
}

/** @returns How much it holds, UTF-16 code units of JSON. */
function attach(call: Begun, to: 'call' | 'function', fields: Json): number {
  const kept = opaqueOf(fields)
  if (Object.keys(kept).length === 0) return 0
  call[to].push(kept)
  return jsonChars(kept)
}

function isObject(piece: string): boolean {
  return piece.startsWith('{') && isRecord(parsedJson(piece))
}
