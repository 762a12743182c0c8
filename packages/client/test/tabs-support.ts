import { tabs } from '../src/tabs.ts'
import type { ChatSession } from '../src/chat-session.ts'
import type { ChatClientOptions } from '../src/options.ts'
import { bus, setup, shows, turn, when, type Bus, type SetupOptions } from './support.ts'

export interface TwoTabs extends ReturnType<typeof setup> {
  readonly a: ChatSession
  readonly b: ChatSession
  readonly channel: Bus
  /** Opens one more tab. */
  tab(options?: Partial<ChatClientOptions>): ChatSession
}

/** Two tabs of one conversation, which have asked each other what there is. */
export async function twoTabs(options: SetupOptions = {}): Promise<TwoTabs> {
  const channel = bus()
  const all = setup(options)
  const tab: TwoTabs['tab'] = (own) => all.open({ extensions: [tabs(channel.open)], ...own })
  const [a, b] = [tab(), tab()]
  await turn()
  return { ...all, channel, tab, a, b }
}
export const told = ({ words }: Bus): string[] => words.map(({ type }) => type)
export const bothShow = async ({ a, b }: TwoTabs, content: string): Promise<void> => {
  await Promise.all([when(a, shows(content)), when(b, shows(content))])
}
