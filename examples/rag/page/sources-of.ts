import type { ChatMessage } from '@midstream/client'

/** A source as the gateway tells it; what is not used here is left out. */
export interface ShownSource {
  readonly number: number
  readonly id: string
  readonly title: string
  readonly file: string
  readonly from: number
  readonly to: number
  readonly passage: string
}

/**
 * The sources of a reply: the last ones told are those that it was made with. One that was continued has been told twice.
 * @returns Undefined while they are not known.
 */
export function sourcesOf({ data }: ChatMessage): readonly ShownSource[] | undefined {
  const told = data?.findLast(({ type }) => type === 'sources')
  return told?.['sources'] as readonly ShownSource[] | undefined
}
