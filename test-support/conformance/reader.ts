import type { ConformanceReader } from './cases.ts'

/** A reader as the wire asks for one, written by hand: it knows only frames, so it can judge any implementation. */
export interface ReferenceReader {
  /** Takes a frame: its SSE `id`, where it has one, and its JSON. */
  push(id: number | undefined, event: Readonly<Record<string, unknown>>): void
  /** What it has; undefined until the terminal event came. */
  result(): ConformanceReader | undefined
}

type Unit =
  | { readonly at: number; readonly kind: 'message' | 'thinking'; readonly code: string }
  | { readonly at: number; readonly kind: 'event'; readonly event: unknown }

export function createReferenceReader(from: number): ReferenceReader {
  let units: Unit[] = []
  let position = from
  let terminal: Readonly<Record<string, unknown>> | undefined

  return {
    push(id, event) {
      if (terminal) throw new Error(`a frame after the terminal one: ${JSON.stringify(event)}`)
      if (event['done'] === true) {
        terminal = event
        const end = event['position']
        if (typeof end !== 'number') return
        units = units.filter(({ at }) => at < end)
        position = end
        return
      }
      for (const kind of ['message', 'thinking'] as const) {
        const text = event[kind]
        if (typeof text !== 'string') continue
        if (id === undefined) throw new Error(`text without a position: ${JSON.stringify(event)}`)
        units.push(...text.split('').map((code, i) => ({ at: id - text.length + i, kind, code })))
      }
      if (event['reset'] === 'thinking') units = units.filter(({ kind }) => kind !== 'thinking')
      if (id === undefined) return
      if (id <= position && units.length > 0) throw new Error(`positions go back: ${position}, then ${id}`)
      if ('tool_call' in event || 'data' in event) units.push({ at: id - 1, kind: 'event', event })
      position = id
    },
    result() {
      if (!terminal) return undefined
      const { error, ...rest } = terminal
      const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
      const textOf = (wanted: Unit['kind']): string =>
        units.map((unit) => (unit.kind === wanted && 'code' in unit ? unit.code : '')).join('')
      return {
        from,
        content: textOf('message'),
        thinking: textOf('thinking'),
        events: units.flatMap((unit) => (unit.kind === 'event' ? [unit.event] : [])),
        terminal: code === undefined ? rest : { ...rest, error: { code } },
        position,
      }
    },
  }
}
