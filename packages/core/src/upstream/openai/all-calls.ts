import type { ToolCall } from '../../wire/events.ts'
import type { ToolFragments } from '../reply/tool-fragments.ts'

/** The calls of a reply that were said in several places. What is not whole in one may be so in another one. */
export function allCalls(
  main: ToolFragments,
  besides: ToolFragments,
  others: ToolFragments,
): ReturnType<ToolFragments['end']> {
  const [first, second] = [main.end(), besides.end()]
  const known = new Set(first.whole.flatMap(namesOf))
  const more = second.whole.filter((call) => !namesOf(call).some((name) => known.has(name)))
  const isHealed = second.whole.length > 0 && second.broken === undefined
  const broken = isHealed ? undefined : (first.broken ?? second.broken)
  const whole = [...first.whole, ...more]
  return whole.length === 0 && broken === undefined ? others.end() : { whole, broken }
}

/** By which a call is known that was said in two places: its id, or all that it says. */
const namesOf = ({ id, name, arguments: args }: ToolCall): string[] => [
  `id ${id}`,
  `says ${JSON.stringify([name, args])}`,
]
