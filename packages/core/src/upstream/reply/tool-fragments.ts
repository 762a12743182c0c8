import { ChatError } from '../../wire/errors.ts'
import type { ToolCall } from '../../wire/events.ts'
import { createId, type RandomBytes } from '../../wire/ids.ts'
import { isRecord, parsedJson, record, text } from '../../wire/json.ts'

/** A call while its fragments come. */
interface Begun {
  readonly index: number | undefined
  id: string
  name: string
  args: string
}

/** What unfinished calls may hold, UTF-16 code units: nobody else counts them before they are whole. */
const maxChars = 1_048_576

/** Puts tool calls together: servers of OpenAI's kind send them in fragments. */
export interface ToolFragments {
  /** @throws {ChatError} `overflow` when the calls grow past 1 MiB. */
  push(fragment: unknown): void
  /** How much of their arguments has come, UTF-16 code units. */
  readonly chars: number
  /** The calls so far, in the order in which they began; `broken`: the fragments of the first one that is not whole. */
  end(): { readonly whole: readonly ToolCall[]; readonly broken: string | undefined }
}

export function createToolFragments(random?: RandomBytes): ToolFragments {
  const calls: Begun[] = []
  let chars = 0
  let overhead = 0

  const callOf = (index: number | undefined, id: string): Begun => {
    const last = calls.findLast((call) => index === undefined || call.index === index)
    // Some servers give every call the index 0, or none: then a new id tells that a new call begins.
    if (last && (id === '' || last.id === '' || id === last.id)) return last
    const call = { index, id, name: '', args: '' }
    calls.push(call)
    return call
  }
  return {
    get chars() {
      return chars
    },
    push(fragment) {
      const { index, id, function: called } = record(fragment)
      const { name, arguments: given } = record(called)
      const call = callOf(typeof index === 'number' ? index : undefined, text(id))
      call.id ||= text(id)
      call.name ||= text(name)
      // OpenAI's are text in pieces; some servers send one object.
      const piece = isRecord(given) ? JSON.stringify(given) : text(given)
      call.args += piece
      chars += piece.length
      overhead += 64
      if (chars + overhead > maxChars)
        throw new ChatError('overflow', `Tool calls are longer than ${maxChars} characters.`)
    },
    end() {
      const made = calls.splice(0).map((call) => ({ call, made: wholeCall(call, random) }))
      const broken = made.find((one) => one.made === undefined)?.call
      return {
        whole: made.flatMap((one) => one.made ?? []),
        broken: broken && `${broken.name}(${broken.args})`.slice(0, 200),
      }
    },
  }
}

function wholeCall({ id, name, args }: Begun, random?: RandomBytes): ToolCall | undefined {
  const value = args.trim() === '' ? {} : parsedJson(args)
  if (name === '' || !isRecord(value)) return undefined
  return { id: id || createId('call', random), name, arguments: value }
}
