import { ChatError } from '../../wire/errors.ts'
import type { ToolCall } from '../../wire/events.ts'
import { createId, type RandomBytes } from '../../wire/ids.ts'
import { text, type Json } from '../../wire/json.ts'
import { jsonChars } from '../../wire/opaque.ts'
import { callArguments, createValueEnd, isNoArguments, type ValueEnd } from '../reply/call-arguments.ts'

/** What the calls of one reply may hold, UTF-16 code units: nobody else counts them before they are whole. */
const maxChars = 1_048_576

/** A tool call while its arguments come. */
interface Call {
  readonly block: Json
  args: string
  end: ValueEnd
  isStopped: boolean
}

/** The tool calls of one reply, each in a block of its own. */
export interface BlockCalls {
  /**
   * A block begins: gives the calls without arguments before it, if it is no call.
   * @param block - What it is; undefined where it is no call.
   */
  begin(index: unknown, block?: Json): ToolCall[]
  /**
   * A piece of a call's arguments, also behind the stop of its block.
   * @returns Whether it says something of a call.
   * @throws {ChatError} `overflow` when the calls grow past 1 MiB.
   */
  grow(index: unknown, piece: string): boolean
  /** A block ends: gives the calls that are whole. */
  stop(index: unknown): ToolCall[]
  /**
   * The reply ends: gives the rest of its calls, and what came of the first one that is not whole.
   * @param isCut - The token limit ended it: a call without arguments at its end may have lost them.
   */
  end(isCut: boolean): { readonly whole: readonly ToolCall[]; readonly broken: string | undefined }
  /** How much of their arguments has come, UTF-16 code units. */
  chars(): number
}

export function createBlockCalls(random?: RandomBytes): BlockCalls {
  /** The calls that have not been given out, in the order in which they began. */
  const waiting = new Set<Call>()
  /** A call whose block was stopped without arguments: its own may come yet, so that it and those behind it wait. */
  let holder: Call | undefined
  let behind: Call[] = []
  /** The last block of each number; undefined: it is no call. */
  const byIndex = new Map<unknown, Call | undefined>()
  let lastIndex: unknown
  const ids = new Set<string>()
  let broken: string | undefined
  let chars = 0
  let held = 0

  const hold = (more: number): void => {
    held += more
    if (held > maxChars) throw new ChatError('overflow', `Tool calls are longer than ${maxChars} characters.`)
  }
  const wholeCall = ({ block, args }: Call): ToolCall | undefined => {
    const name = text(block['name'])
    const value = callArguments(isNoArguments(args) ? block['input'] : args)
    if (name === '' || value === undefined) return undefined
    // What answers a call is told apart by its id.
    const given = text(block['id'])
    const id = given === '' || ids.has(given) ? createId('call', random) : given
    ids.add(id)
    return { id, name, arguments: value }
  }
  const take = (call: Call): ToolCall[] => {
    waiting.delete(call)
    const whole = wholeCall(call)
    // Whether the token limit cut it off is said only later.
    if (!whole) broken ??= `${text(call.block['name'])}(${call.args})`
    return whole ? [whole] : []
  }
  const isReady = (call: Call): boolean => call.isStopped && waiting.has(call)
  return {
    chars: () => chars,
    begin(index, block) {
      const call = block && { block, args: '', end: createValueEnd(), isStopped: false }
      byIndex.set(index, call)
      lastIndex = index
      if (!call) {
        const last = holder ? [holder, ...behind] : []
        holder = undefined
        behind = []
        return last.filter(isReady).flatMap(take)
      }
      waiting.add(call)
      hold(jsonChars(call.block))
      return []
    },
    grow(given, piece) {
      // Without a number it is the last block's.
      const index = given === undefined && !byIndex.has(given) ? lastIndex : given
      const call = byIndex.get(index)
      // The server answers calls of its own tools itself.
      if (piece === '' || (!call && byIndex.has(index))) return false
      if (isNoArguments(piece) && call?.isStopped) return false
      // Of a call whose beginning did not come, or that has been given out already.
      if (!call || !waiting.has(call)) broken ??= `(${piece})`
      if (!call || !waiting.has(call)) return false
      if (holder === call) holder = undefined
      call.isStopped = false
      if (isNoArguments(call.args)) {
        call.args = ''
        call.end = createValueEnd()
      }
      // Nothing, behind all of them.
      if (call.end.isWhole && isNoArguments(piece)) return true
      call.args += piece
      call.end.push(piece)
      chars += piece.length
      hold(piece.length)
      return true
    },
    stop(index) {
      const call = byIndex.get(index)
      if (!call || call.isStopped) return []
      call.isStopped = true
      if (holder) behind.push(call)
      if (holder) return []
      const ready = [call, ...behind]
      behind = []
      const whole: ToolCall[] = []
      for (const [i, one] of ready.entries()) {
        if (!isReady(one)) continue
        if (isBare(one)) {
          holder = one
          behind = ready.slice(i + 1)
          break
        }
        whole.push(...take(one))
      }
      return whole
    },
    end(isCut) {
      const last = [...waiting]
      if (isCut && last.length > 0 && isBare(last.at(-1)!)) last.pop()
      return { whole: last.flatMap(take), broken }
    },
  }
}

function isBare({ block, args }: Call): boolean {
  if (args.trim() !== '') return false
  const value = callArguments(block['input'])
  return value !== undefined && Object.keys(value).length === 0
}
