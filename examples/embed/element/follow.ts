/** Scrolling down to this near the end, px, means the end. */
const nearPx = 24

/** Where a list is scrolled to, px. */
export interface ScrollPlace {
  readonly top: number
  /** How much is left below. */
  readonly left: number
}

/**
 * Tells whether a list keeps to its end. Scrolling up, however little, ends that; scrolling back down resumes it. Growth
 * moves nothing by itself, so only a person scrolls up, or a list that got shorter, which then is at its end.
 * @param was - Whether it did so far.
 */
export function follows(was: boolean, { top, left }: ScrollPlace, lastTop: number): boolean {
  if (left <= 1) return true
  if (top < lastTop) return false
  return was || (top > lastTop && left < nearPx)
}
