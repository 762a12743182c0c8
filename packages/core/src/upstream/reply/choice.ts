import { isRecord, list, record, type Json } from '../../wire/json.ts'
import { callsIn } from './call-shapes.ts'
import { hasWords } from './lost-words.ts'

/** The answer that counts of one frame. */
export interface Chosen {
  readonly choice: Json
  /** Where its end is said: also another one's, where only one has said anything. */
  readonly ending: Json
  /** The others. Some servers give text in one and calls in another one. */
  readonly others: readonly Json[]
}

const none: Json = {}

/**
 * The one answer that counts where a server gives several: the first that says something, and of those that do so in one frame the one
 * with the lowest number. A server may well give its only one the number 1, and another one its role.
 */
export function createChoice(): (choices: unknown, hasSaid: boolean, isSettled: boolean) => Chosen | undefined {
  let chosen = Infinity
  let hasOthers = false
  return (choices, hasSaid, isSettled) => {
    const all = (isRecord(choices) ? [choices] : list(choices)).map(record)
    if (all.length === 0) return undefined
    const speaking = all.length === 1 && isSettled && indexOf(all[0]!) === chosen ? all : all.filter(speaks)
    const isOpen = !isSettled || chosen === Infinity
    if (isOpen && speaking.length > 0) chosen = Math.min(...speaking.map(indexOf))
    else if (isOpen && (!hasSaid || chosen === Infinity)) chosen = Math.min(chosen, ...all.map(indexOf))
    hasOthers ||= speaking.some((one) => indexOf(one) !== chosen)
    const choice = all.find((one) => indexOf(one) === chosen)
    return {
      choice: choice ?? none,
      ending: choice ?? (hasOthers ? none : all[0]!),
      others: all.length === 1 && choice ? [] : all.filter((one) => one !== choice),
    }
  }
}

function indexOf({ index }: Json): number {
  return Number(index ?? 0) || 0
}

function speaks(choice: Json): boolean {
  return hasWords(choice) || callsOf(choice).length > 0
}

/** The calls of a choice, in whatever place. */
export function callsOf(choice: Json): readonly unknown[] {
  const inside = callsIn(record(choice['delta'] ?? choice['message']))
  return inside.length > 0 ? inside : callsIn(choice)
}
