import type { KeptChat, KeptRun } from './state/kept-chat.ts'
import type { ChatMessage, MessageState } from './message.ts'
import { maxRemoved } from './valid-chat.ts'

/** A message of one copy, or of both. */
interface Entry {
  readonly message: ChatMessage
  /** The run that grows it. */
  readonly run: KeptRun | undefined
  /** Id of the question that it belongs to; empty before the first one. */
  readonly turn: string
}

/**
 * Merges two copies of one conversation: everything that was said in one of them, once, but for what was taken away in one of them
 * and not acted on since in the other. Turns stand in the order in which a person last acted on them. It makes no difference
 * which copy is which, in which order many of them are merged, and how often: copies that have heard of each other are equal.
 */
export function mergeChats(a: KeptChat, b: KeptChat): KeptChat {
  const { version, sessionId } = (b.version - a.version || compare(b.sessionId, a.sessionId)) > 0 ? b : a
  const cleared = Math.max(a.cleared, b.cleared)
  const gone = new Map<string, number>()
  for (const [id, at] of [...a.removed, ...b.removed]) gone.set(id, Math.max(at, gone.get(id) ?? 0))
  const isThere = ({ id, role, version = 0 }: ChatMessage): boolean => {
    const removedAt = gone.get(id)
    // A question does not change; another page may have continued an answer at the same time.
    return version >= cleared && (removedAt === undefined || (role === 'assistant' && version > removedAt))
  }
  const turns = new Map<string, Entry[]>()
  for (const entry of entriesOf(a, b)) {
    const turn = turns.get(entry.turn)
    if (turn) turn.push(entry)
    else turns.set(entry.turn, [entry])
  }
  const shown = [...turns.values()].flatMap((turn) => {
    // A new answer keeps its question, although another page has removed the question at the same time.
    const left = turn.some(({ message }) => isThere(message))
      ? turn.filter(({ message }) => message.role === 'user' || isThere(message))
      : []
    left.sort((one, other) => inOrder(one.message, other.message))
    const last = left.at(-1)?.message
    return last ? [{ last, left: left.sort((one, other) => isQuestion(other) - isQuestion(one)) }] : []
  })
  const entries = shown.sort((one, other) => inOrder(one.last, other.last)).flatMap(({ left }) => left)
  return {
    sessionId,
    version,
    cleared,
    removed: [...gone]
      .filter(([, at]) => at >= cleared)
      .sort(([id, at], [other, then]) => at - then || compare(id, other))
      .slice(-maxRemoved),
    messages: entries.map(({ message }) => message),
    runs: entries.flatMap(({ run }) => run ?? []),
  }
}

/**
 * The part of a conversation that a page shows: the page reads one run, which grows the last message, and does not know the text of the others.
 * @param runId - The one that is read already. Default: the first one.
 */
export function viewOf(chat: KeptChat, runId?: string): KeptChat {
  const { runs, messages } = chat
  const run = runs.find((one) => one.runId === runId) ?? runs.find(({ isOpen }) => isOpen) ?? runs[0]
  if (!run) return chat
  const others = new Map(runs.flatMap((one) => (one === run ? [] : [[one.before.id, one.before]])))
  const shown: ChatMessage[] = []
  let last: readonly ChatMessage[] = []
  for (const turn of turnsOf(messages)) {
    const left = turn.flatMap((message): ChatMessage[] => {
      const before = others.get(message.id)
      if (!before) return [message]
      return before.content ? [{ ...before, state: 'interrupted' }] : []
    })
    const isGrowing = ({ id }: ChatMessage): boolean => id === run.before.id
    const growing = left.find(isGrowing)
    if (growing) last = [...left.filter((message) => !isGrowing(message)), growing]
    else if (left.length > 1 || turn.length === 1) shown.push(...left)
  }
  return { ...chat, messages: [...shown, ...last], runs: [run] }
}

/** A question and all that answers it. */
function turnsOf(messages: readonly ChatMessage[]): readonly (readonly ChatMessage[])[] {
  const turns: ChatMessage[][] = []
  for (const message of messages) {
    if (message.role === 'user' || turns.length === 0) turns.push([message])
    else turns.at(-1)!.push(message)
  }
  return turns
}

/** The messages of both copies, each once. */
function entriesOf(...chats: readonly KeptChat[]): Iterable<Entry> {
  const entries = new Map<string, Entry>()
  for (const { messages, runs } of chats) {
    const growing = new Map(runs.map((run) => [run.before.id, run]))
    let turn = ''
    for (const message of messages) {
      const { id, role, state } = message
      if (role === 'user') turn = id
      const entry = { message, turn, run: state === 'streaming' ? growing.get(id) : undefined }
      const known = entries.get(id)
      entries.set(id, known ? better(known, entry) : entry)
    }
  }
  return entries.values()
}

/** A higher rank knows more of a reply: another page may still read a run that was lost here, once the gateway has confirmed it. */
const ranks = { dropped: 1, failed: 2, streaming: 3, interrupted: 4, done: 5 } satisfies Record<MessageState, number>
const rankOf = (entry: Entry): number =>
  standsBack(entry) ? 2.5 : entry.run?.isOpen === false ? 0 : ranks[entry.message.state]
/** What goes on by itself is no act of the user's: until the gateway has taken its run, that of another page comes before it. */
const standsBack = ({ run }: Entry): boolean => run?.isOpen === false && run.ask?.busy === 'reject'

/** The right one of two entries: the user's last act wins, then the higher rank, then the longer text. */
function better(a: Entry, b: Entry): Entry {
  const [one, other] = [a.message, b.message]
  const turn = a.turn > b.turn ? a.turn : b.turn
  const order =
    versionIn(b) - versionIn(a) ||
    rankOf(b) - rankOf(a) ||
    compare(b.run?.runId ?? '', a.run?.runId ?? '') ||
    other.content.length - one.content.length ||
    (one === other ? 0 : compare(partsOf(other), partsOf(one)))
  const { message, run } = order > 0 ? b : a
  if (!run || a.run?.runId !== b.run?.runId) return { message, run, turn }
  // Both copies know something of the same run.
  const isOpen = a.run!.isOpen || b.run!.isOpen
  return { message, run: { ...run, isOpen, ask: a.run!.ask && b.run!.ask && run.ask }, turn }
}

const versionOf = ({ version = 0 }: ChatMessage): number => version
const versionIn = (entry: Entry): number => versionOf(standsBack(entry) ? entry.run!.before : entry.message)
const inOrder = (one: ChatMessage, other: ChatMessage): number =>
  versionOf(one) - versionOf(other) || compare(one.id, other.id)
const isQuestion = ({ message }: Entry): number => Number(message.role === 'user')
const partsOf = ({ content, thinking, toolCalls, data, reason, error }: ChatMessage): string =>
  JSON.stringify([content, thinking, toolCalls, data, reason, error])
const compare = (a: string, b: string): number => Number(a > b) - Number(a < b)
