import type { KeptChat } from './state/kept-chat.ts'
import type { ChatMessage } from './message.ts'

/**
 * What becomes of two copies of one conversation. `same`: nothing. `take`: the other one replaces this one. `hold`: both have
 * a run that goes on, and only one can be read: later. Else: both, with everything that was said at the same time.
 */
export type Meeting = 'same' | 'take' | 'hold' | KeptChat

/**
 * Compares this copy of a conversation with another one. What was said in both at the same time stays in both, in whole: the
 * turn whose run goes on comes last, and of two that have ended the one with the lower id comes first, in every tab. What was
 * removed by an edit, or by `clear`, does not come back.
 * @param own - Ids of messages that were said here, and that no other copy is known to have.
 * @param seen - Ids of all messages that were ever here.
 * @param wins - Whether the other copy replaces this one where nothing here would be lost. Default: when it is newer.
 */
export function mergeChats(
  mine: KeptChat,
  theirs: KeptChat,
  own: ReadonlySet<string>,
  seen: ReadonlySet<string>,
  wins: boolean = isNewer(theirs, mine),
): Meeting {
  const plain = wins ? 'take' : 'same'
  const there = new Set(theirs.messages.map(({ id }) => id))
  const removed = new Set(theirs.removed)
  const isUnknownThere = ({ id }: ChatMessage): boolean => !there.has(id) && !removed.has(id)
  const unknown = mine.messages.filter(isUnknownThere)
  if (theirs.messages.length === 0 || !unknown.some(({ id }) => own.has(id))) return plain
  // A newer copy that has never heard of what was said here has to hear of it, once its run has ended: the merged one is newer.
  if ((!wins || theirs.run) && theirs.messages.every(({ id }) => seen.has(id))) return 'same'
  if (mine.run && theirs.run) return 'hold'

  const here = new Set(mine.messages.map(({ id }) => id))
  // A copy that has, or had, anything of what was here before has seen all of it: what it lacks was removed there.
  const hasSeenMine = mine.messages.some(({ id }) => !own.has(id) && (there.has(id) || removed.has(id)))
  const stays = new Set(unknown.filter(({ id }) => own.has(id) || !hasSeenMine).map(({ id }) => id))
  const isOwn = ({ id }: ChatMessage): boolean => own.has(id) && stays.has(id)
  const left = withQuestions(mine.messages, isOwn, ({ id }) => there.has(id) || stays.has(id))
  const isFresh = ({ id }: ChatMessage): boolean => !seen.has(id) && !mine.removed?.includes(id)
  const right = withQuestions(theirs.messages, isFresh, (message) => here.has(message.id) || isFresh(message))
  const [first, second] = isLast(mine, left, theirs, right) ? [right, left] : [left, right]
  // Of a message that both have, the newer copy is the right one; one that a run here grows is only known here.
  const newer = new Map((plain === 'take' ? right : left).map((message) => [message.id, message]))
  const joined = inTurns(first, second).map((message) => newer.get(message.id) ?? message)
  const growing = mine.run ? mine : theirs.run && theirs
  const messages = growing ? withLast(joined, turnsOf(growing.messages).at(-1)!) : joined
  const base = mine.run ? mine : theirs.run || plain === 'take' ? theirs : mine
  return {
    sessionId: base.sessionId,
    messages,
    run: mine.run ?? theirs.run,
    version: Math.max(mine.version, theirs.version) + 1,
    removed: [...new Set([...(mine.removed ?? []), ...(theirs.removed ?? [])])].slice(-100),
  }
}

/** The messages that stay. What was answered anew keeps its question, though that was taken away elsewhere at the same time. */
function withQuestions(
  messages: readonly ChatMessage[],
  isNew: (message: ChatMessage) => boolean,
  stays: (message: ChatMessage) => boolean,
): readonly ChatMessage[] {
  return turnsOf(messages).flatMap((turn) => {
    const isAsked = turn.some(isNew)
    return turn.filter((message) => stays(message) || (isAsked && message === turn[0]))
  })
}

type Turn = readonly [ChatMessage, ...ChatMessage[]]

/** A question and all that answers it stay together. */
function turnsOf(messages: readonly ChatMessage[]): readonly Turn[] {
  const turns: [ChatMessage, ...ChatMessage[]][] = []
  for (const message of messages) {
    if (message.role === 'user' || turns.length === 0) turns.push([message])
    else turns.at(-1)!.push(message)
  }
  return turns
}

/** The turns that only the first one has, before those of the second one that are not in both from the beginning. */
function inTurns(first: readonly ChatMessage[], second: readonly ChatMessage[]): readonly ChatMessage[] {
  const ahead = turnsOf(first)
  const behind = turnsOf(second)
  const isSame = (a: Turn | undefined, b: Turn): boolean =>
    a?.length === b.length && a.every(({ id }, i) => id === b[i]!.id)
  let common = 0
  while (common < behind.length && isSame(ahead[common], behind[common]!)) common += 1
  const others = new Map(ahead.slice(common).map((turn) => [turn[0].id, turn]))
  const rest: ChatMessage[] = []
  for (const turn of behind.slice(common)) {
    const [question] = turn
    // One question that was answered anew in both.
    const more = others.get(question.id)?.filter(({ id }) => !turn.some((message) => message.id === id)) ?? []
    others.delete(question.id)
    rest.push(question, ...more, ...turn.slice(1))
  }
  return [...behind.slice(0, common).flat(), ...[...others.values()].flat(), ...rest]
}

/** The turn that a run grows comes last and in whole, whatever was removed or said after it elsewhere. */
function withLast(messages: readonly ChatMessage[], last: Turn): readonly ChatMessage[] {
  const [question, ...answers] = last
  const more = turnsOf(messages).find(([{ id }]) => id === question.id) ?? []
  const others = more.slice(1).filter(({ id }) => !answers.some((answer) => answer.id === id))
  const turn = [question, ...others, ...answers]
  return [...messages.filter(({ id }) => !turn.some((message) => message.id === id)), ...turn]
}

/** Whether what was said here comes after what was said there. */
function isLast(
  mine: KeptChat,
  left: readonly ChatMessage[],
  theirs: KeptChat,
  right: readonly ChatMessage[],
): boolean {
  if (mine.run || theirs.run) return mine.run !== null
  const at = left.findIndex(({ id }, i) => id !== right[i]?.id)
  return (left[at]?.id ?? '') > (right[at]?.id ?? '')
}

/** One order in every tab: of what happened at once, a cleared conversation wins, then the higher session id, then message id. */
export function isNewer(chat: KeptChat, mine: KeptChat): boolean {
  if (chat.version !== mine.version) return chat.version > mine.version
  const isEmpty = chat.messages.length === 0
  if (isEmpty !== (mine.messages.length === 0)) return isEmpty
  if (chat.sessionId !== mine.sessionId) return chat.sessionId > mine.sessionId
  return (chat.messages.at(-1)?.id ?? '') > (mine.messages.at(-1)?.id ?? '')
}
