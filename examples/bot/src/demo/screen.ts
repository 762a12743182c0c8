import type { Writable } from 'node:stream'

/** Shows in a terminal how messages grow. */
export interface Screen {
  line(text: string): void
  /** A message as it is now; what is new of it is written. */
  grow(name: string, text: string): void
}

/** Creates a screen that only ever appends, so that it can be a file, too. */
export function createScreen(output: Writable): Screen {
  const shown = new Map<string, string>()
  let current = ''
  const breakLine = (): void => {
    if (current !== '') output.write('\n')
    current = ''
  }
  return {
    line(text) {
      breakLine()
      output.write(`${text}\n`)
    },
    grow(name, text) {
      const before = shown.get(name) ?? ''
      if (text === before) return
      shown.set(name, text)
      if (current !== name) {
        breakLine()
        output.write(`[${name}] `)
        current = name
      }
      output.write(text.startsWith(before) ? text.slice(before.length) : `\n${text}`)
    },
  }
}
