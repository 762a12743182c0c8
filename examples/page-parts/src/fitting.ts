import { blockLimits, textLimits, type Limits } from './limits.ts'
import { measure, type Size } from './measure.ts'

/**
 * Makes a function that says which of a text's blocks are to be parsed; the others are shown as they are written. What was
 * measured once is not measured again, and a block's answer does not change as the text grows behind it.
 */
export function createFitting(): (blocks: readonly string[]) => readonly boolean[] {
  let measured: readonly (readonly [block: string, size: Size])[] = []
  return (blocks) => {
    measured = blocks.map((block, i) => (measured[i]?.[0] === block ? measured[i] : [block, measure(block)]))
    let codeChars = 0
    let work = 0
    return measured.map(([, size]) => {
      const fits =
        within(size, blockLimits) &&
        codeChars + size.codeChars <= textLimits.codeChars &&
        work + size.work <= textLimits.work
      if (fits) {
        codeChars += size.codeChars
        work += size.work
      }
      return fits
    })
  }
}

const names = Object.keys(blockLimits) as (keyof Limits)[]
const within = (size: Size, limits: Limits): boolean => names.every((name) => size[name] <= limits[name])
