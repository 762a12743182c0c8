import { createValueEnd, type ValueEnd } from './call-arguments.ts'
import { isPlain } from './plain-words.ts'
import { isDone, readObjects } from './readable.ts'

/** The lines of a frame that has not ended. */
export interface BegunFrame {
  /**
   * `none`: there is no line yet. `open`: an object has begun and not ended. `whole`: the lines are all of a frame, so that the
   * next one begins another. `words`: anything else; only a blank line ends it.
   */
  state(): 'none' | 'open' | 'whole' | 'words'
  /** Whether no line has come at all. */
  isEmpty(): boolean
  add(line: string): void
  /** How much it holds, UTF-16 code units. */
  chars(): number
  /** Gives its text, and begins anew. */
  take(): string
}

export function createBegunFrame(): BegunFrame {
  let lines: string[] = []
  let chars = 0
  /** Looks for the end of an object, once a second line may be a part of it; how many lines it has looked at. */
  let end: ValueEnd | undefined
  let looked = 0
  /** Whether the only line is whole, once that was asked. */
  let isFirstWhole: boolean | undefined

  const isOpen = (): boolean => {
    end ??= createValueEnd()
    for (; looked < lines.length; looked++) {
      if (looked > 0) end.push('\n')
      end.push(lines[looked]!)
    }
    return !end.isWhole
  }
  return {
    state() {
      const [first] = lines
      if (first === undefined) return 'none'
      if (first.startsWith('{')) return isOpen() ? 'open' : 'whole'
      // An empty line of data is none, where another one follows.
      if (lines.length === 1 && first === '') return 'none'
      return lines.length === 1 && (isFirstWhole ??= isWholeFrame(first)) ? 'whole' : 'words'
    },
    isEmpty: () => lines.length === 0,
    add(line) {
      lines.push(line)
      chars += line.length
    },
    chars: () => chars,
    take() {
      const data = lines.length === 1 ? lines[0]! : lines.join('\n')
      lines = []
      chars = looked = 0
      end = isFirstWhole = undefined
      return data
    },
  }
}

/** Whether a text is all of a frame. */
export function isWholeFrame(said: string): boolean {
  return said !== '' && (isDone(said) || isPlain(said) || readObjects(said) !== undefined)
}
