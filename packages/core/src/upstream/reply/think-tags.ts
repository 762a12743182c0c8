import { once } from '../../once.ts'
import type { ChatTurn } from '../../wire/messages.ts'
import type { UpstreamEvent } from '../upstream.ts'
import type { Seam } from './seam.ts'

/** Tags by which models write their thinking into the text, if the server does not take it out. All were seen in the wild. */
const pairs: readonly (readonly [opening: string, closing: string])[] = [
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  ['<thought>', '</thought>'],
  ['<reasoning>', '</reasoning>'],
  ['<seed:think>', '</seed:think>'],
  ['[THINK]', '[/THINK]'],
  ['◁think▷', '◁/think▷'],
  ['<|begin_of_thought|>', '<|end_of_thought|>'],
  ['<|START_THINKING|>', '<|END_THINKING|>'],
  ['<thoughts>', '</thoughts>'],
  ['<analysis>', '</analysis>'],
]
/** Those which are thinking only where they are closed: else a text may well begin so. */
const soft: ReadonlySet<string> = new Set(['<thoughts>', '<analysis>'])
const tags = /* @__PURE__ */ once(() => pairs.flat().map((tag) => tag.toLowerCase()))

/** Whether a tag stands at a place, in small letters, capital ones or both. */
function stands(tag: string, text: string, at = 0): boolean {
  return text.slice(at, at + tag.length).toLowerCase() === tag.toLowerCase()
}

/** The closing tag, in the letters of the opening one. */
function closingOf([opening, closing]: readonly [string, string], said: string): string {
  return said === opening ? closing : closing.replace(opening.slice(1), said.slice(1))
}
/** More white space in front of a reply than this is its text, UTF-16 code units. */
const maxLead = 1_024

/** Turns what stands in tags at the start of a reply into thinking. */
interface ThinkTags {
  push(events: readonly UpstreamEvent[]): readonly UpstreamEvent[]
  /** The body has ended: returns what was held back. */
  end(): UpstreamEvent[]
}

/**
 * Puts the tags' stage in front of a seam.
 * @param opensThinking - The prompt opens the thinking: a reply begins inside it, and only its end tag comes.
 */
export function withThinkTags(seam: Seam, opensThinking = false): Seam {
  const stage = createThinkTags(opensThinking)
  return {
    push: (events) => seam.push(stage.push(events)),
    end: () => [...seam.push(stage.end()), ...seam.end()],
  }
}

/**
 * Looks at the start of a reply only, behind white space and other thinking: a tag in mid-text is text, such as a user's own code.
 * Holds back only text that may still be a tag. A closing tag alone at the start is dropped.
 */
export function createThinkTags(opensThinking = false): ThinkTags {
  let state: 'start' | 'inside' | 'text' = 'start'
  let isOpened = opensThinking
  let close = ''
  /** White space in front of the reply, and what may be the beginning of a tag. */
  let lead = ''
  let held = ''
  let hasThought = false
  /** White space behind thinking is not the answer's. */
  let hadTags = false
  /** What was taken for thinking without an opening tag: all of it is the answer if no closing tag comes. */
  let unproven = ''

  const think = (events: UpstreamEvent[], said: string): void => {
    if (isOpened) unproven += said
    const thinking = hasThought ? said : said.trimStart()
    if (thinking === '') return
    hasThought = true
    events.push({ thinking })
  }
  const enter = (closing: string): void => {
    state = 'inside'
    close = closing
  }
  /** @returns Whether there is more to look at. */
  const begin = (events: UpstreamEvent[]): boolean => {
    const text = held.trimStart()
    if (!hadTags) lead += held.slice(0, held.length - text.length)
    held = text
    if (lead.length <= maxLead) {
      if (tags().some((tag) => tag.length > text.length && stands(text, tag))) return false
      const pair = pairs.find((both) => both.some((tag) => stands(tag, text)))
      if (pair) {
        const isOpening = stands(pair[0], text)
        const tag = text.slice(0, pair[0].length)
        held = text.slice(pair[isOpening ? 0 : 1].length)
        lead = ''
        hadTags = true
        isOpened = isOpening && soft.has(pair[0])
        if (isOpened) unproven = tag
        if (isOpening) enter(closingOf(pair, tag))
        return true
      }
      if (isOpened) {
        enter(pairs[0]![1])
        held = lead + held
        lead = ''
        return true
      }
    }
    state = 'text'
    events.push(...rest())
    return false
  }
  /** @returns Whether there is more to look at. */
  const goOn = (events: UpstreamEvent[]): boolean => {
    const at = held.indexOf(close)
    const length = at < 0 ? held.length - beginningOf(close, held) : at
    think(events, held.slice(0, length))
    held = held.slice(at < 0 ? length : at + close.length)
    if (at < 0) return false
    state = 'start'
    hadTags = true
    isOpened = false
    unproven = ''
    return true
  }
  const take = (said: string): UpstreamEvent[] => {
    const events: UpstreamEvent[] = []
    held += said
    while (state === 'start' ? begin(events) : goOn(events));
    return events
  }
  const rest = (): UpstreamEvent[] => {
    const events: UpstreamEvent[] = []
    const said = lead + held
    lead = held = ''
    if (state === 'inside') think(events, said)
    else if (said !== '') {
      state = 'text'
      events.push({ message: said })
    }
    return events
  }
  const over = (event: UpstreamEvent): UpstreamEvent[] => {
    const events = rest()
    if ('finish' in event && event.finish === 'stop' && unproven !== '') events.push({ message: unproven })
    unproven = ''
    return [...events, event]
  }
  return {
    push(events) {
      if (state === 'text' && unproven === '') return events
      const given: UpstreamEvent[] = []
      for (const event of events) {
        // The server takes the thinking out by itself.
        if ('thinking' in event && state === 'start') isOpened = false
        if ('message' in event && state !== 'text') {
          const said = take(event.message)
          given.push(...(said.length === 0 ? [{ alive: true } as const] : said))
        } else if ('finish' in event || 'error' in event || 'tool_call' in event) given.push(...over(event))
        else given.push(event)
      }
      return given
    },
    end: rest,
  }
}

/** How much of the end of a text may be the beginning of a tag, UTF-16 code units. */
function beginningOf(tag: string, said: string): number {
  for (let chars = Math.min(tag.length - 1, said.length); chars > 0; chars--)
    if (tag.startsWith(said.slice(-chars))) return chars
  return 0
}

/**
 * A history whose replies do not begin with thinking in tags: an open tag would make a model go on thinking, or take the user's
 * next words for thoughts.
 * @returns The very list if there are none.
 */
export function withoutThinkTags(messages: readonly ChatTurn[]): readonly ChatTurn[] {
  const clean = messages.map((message) => {
    if (message.role !== 'assistant') return message
    const content = withoutThinking(message.content)
    return content === message.content ? message : { ...message, content }
  })
  return clean.some((message, i) => message !== messages[i]) ? clean : messages
}

/** The same of one text. What may be the beginning of a tag, and nothing else, is one that was cut off. */
export function withoutThinking(content: string): string {
  let from = 0
  for (;;) {
    const start = pastSpace(content, from)
    const pair = pairs.find((both) => both.some((tag) => stands(tag, content, start)))
    if (!pair) {
      const isCutTag = pairs.some(([opening]) => isBeginning(content, start, opening))
      return isCutTag ? '' : from === 0 ? content : content.slice(start)
    }
    const at = content.indexOf(closingOf(pair, content.slice(start, start + pair[0].length)), start)
    if (at < 0) return soft.has(pair[0]) ? content.slice(from === 0 ? 0 : start) : ''
    from = at + pair[1].length
  }
}

function isBeginning(content: string, start: number, tag: string): boolean {
  const said = content.slice(start, start + tag.length).trimEnd()
  return content.length - start < tag.length && said.length >= 2 && tag.startsWith(said)
}

function pastSpace(content: string, from: number): number {
  let at = from
  while (at < content.length && /\s/.test(content[at]!)) at += 1
  return at
}
