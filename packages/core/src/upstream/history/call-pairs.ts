import type { ToolCall } from '../../wire/events.ts'
import type { ChatTurn } from '../../wire/messages.ts'

/** A call of the history under an id of its own, and what its tool said. */
export interface CallPair {
  readonly call: ToolCall
  result?: string
}

/** The calls that one reply has under one id. */
interface Group {
  readonly pairs: CallPair[]
  readonly message: ChatTurn
  /** How many messages of the user came before it. */
  readonly asked: number
  /** How many of its calls have a result. */
  answered: number
  /** A result under this id came behind it: the same once more is another call. */
  isOver: boolean
  /** Name and arguments of its calls, once another one has come. */
  said?: Set<string>
}

/**
 * Which result belongs to which call. Many servers give the ids of one reply again in the next one: a result belongs to the nearest
 * reply before it that has a call of that id without one. A call is said twice only where its name and arguments are the same, too,
 * with no result and no words of the user between the two.
 * @returns The calls of each message, by its place.
 */
export function pairCalls(messages: readonly ChatTurn[]): readonly (readonly CallPair[])[] {
  const freeId = createFreeIds(messages)
  /** The last of each id, and those that wait for results, the nearest last. */
  const last = new Map<string, Group>()
  const waiting = new Map<string, Group[]>()
  let asked = 0
  const answer = (id: string, result: string): void => {
    const open = waiting.get(id) ?? []
    const group = open.at(-1)
    if (group) group.pairs[group.answered++]!.result = result
    if (group?.answered === group?.pairs.length) open.pop()
    const newest = last.get(id)
    if (newest) newest.isOver = true
  }
  const begin = (message: ChatTurn, call: ToolCall): CallPair | undefined => {
    const before = last.get(call.id)
    if (before && !before.isOver && before.asked === asked) {
      before.said ??= new Set(before.pairs.map((pair) => saidBy(pair.call)))
      if (before.said.has(saidBy(call))) return undefined
      before.said.add(saidBy(call))
    }
    const pair: CallPair = { call: before ? { ...call, id: freeId(call.id) } : call }
    if (before?.message === message) before.pairs.push(pair)
    else {
      const group = { pairs: [pair], message, asked, answered: 0, isOver: false }
      last.set(call.id, group)
      const open = waiting.get(call.id)
      if (open) open.push(group)
      else waiting.set(call.id, [group])
    }
    return pair
  }
  return messages.map((message) => {
    const { role, tool_call_id: id, tool_calls: calls = [] } = message
    if (role === 'user') asked += 1
    if (role === 'tool' && id !== undefined) answer(id, message.content)
    return role === 'assistant' ? calls.flatMap((call) => begin(message, call) ?? []) : []
  })
}

function saidBy({ name, arguments: args }: ToolCall): string {
  return JSON.stringify([name, args])
}

/** Makes ids that no call of the history has. `functions.now:0` keeps its form: models read it, and count on. */
function createFreeIds(messages: readonly ChatTurn[]): (id: string) => string {
  let taken: Set<string> | undefined
  /** How far was counted behind each stem: each number once, however many there are. */
  const counted = new Map<string, number>()
  return (id) => {
    taken ??= new Set(messages.flatMap(({ tool_calls: calls = [] }) => calls.map((call) => call.id)))
    const at = /:\d{1,9}$/.exec(id)?.index
    const stem = at === undefined ? `${id}_` : id.slice(0, at + 1)
    let number = counted.get(stem) ?? (at === undefined ? 1 : 0)
    let made: string
    do made = `${stem}${++number}`
    while (taken.has(made))
    counted.set(stem, number)
    taken.add(made)
    return made
  }
}
