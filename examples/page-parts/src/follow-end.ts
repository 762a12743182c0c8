/** Scrolling down to this near the end, px, means the end. */
const nearPx = 24
/** How far a finger moves before it scrolls, px. */
const slopPx = 4

/** Where a list is scrolled to, px. */
export interface ScrollPlace {
  readonly top: number
  /** The largest `top` that there is. */
  readonly end: number
}

/**
 * Tells whether a list keeps to its end. Scrolling up, however little, ends that; scrolling back down near the end resumes it.
 * Growth moves nothing by itself. A list that got shorter than it was scrolled is at its end.
 * @param was - Whether it did so far.
 */
export function follows(was: boolean, { top, end }: ScrollPlace, lastTop: number): boolean {
  if (top > lastTop) return was || end - top < nearPx
  if (top === lastTop) return was
  // A browser rounds where a list is scrolled to.
  return end - top <= 1 && (was || end < lastTop)
}

/** Keeps a growing list at its end. */
export interface EndFollower {
  readonly isFollowing: boolean
  /** The list may have grown: goes to the end, unless the user has scrolled up. */
  update(): void
  /** Goes to the end and stays there. */
  follow(): void
  close(): void
}

type Scroller = Pick<
  HTMLElement,
  'scrollTop' | 'scrollHeight' | 'clientHeight' | 'addEventListener' | 'removeEventListener'
>

/**
 * Keeps a growing list at its end until the user scrolls up. A browser scrolls smoothly, and on a thread of its own: text that
 * comes in the meantime would take the list back before a scroll event has told of it. So a wheel, a finger and a key count as
 * soon as they are heard of, and where the list is scrolled to is looked at before it is changed.
 * @param onChange - Called when the list begins to follow, or no longer does.
 */
export function followEnd(scroller: Scroller, onChange?: (isFollowing: boolean) => void): EndFollower {
  let isFollowing = true
  let lastTop = scroller.scrollTop
  let touchY = 0

  const set = (value: boolean): void => {
    if (value === isFollowing) return
    isFollowing = value
    onChange?.(value)
  }
  const place = (): ScrollPlace => {
    const { scrollTop, scrollHeight, clientHeight } = scroller
    return { top: scrollTop, end: scrollHeight - clientHeight }
  }
  const look = (): void => {
    const now = place()
    const value = follows(isFollowing, now, lastTop)
    lastTop = now.top
    set(value)
  }
  const update = (): void => {
    look()
    if (!isFollowing) return
    scroller.scrollTop = scroller.scrollHeight
    // What it has become: the scroll event of one's own says nothing new.
    lastTop = scroller.scrollTop
  }
  const follow = (): void => {
    set(true)
    scroller.scrollTop = scroller.scrollHeight
    lastTop = scroller.scrollTop
  }
  const meant = (event: Event, isUp: boolean): void => {
    if (event.defaultPrevented) return
    look()
    const { top, end } = place()
    if (isUp && top > 0) set(false)
    // At the very end there is nothing to scroll, and no scroll event.
    else if (!isUp && end - top < nearPx) set(true)
  }
  const listeners: Partial<{ [Name in keyof HTMLElementEventMap]: (event: HTMLElementEventMap[Name]) => void }> = {
    scroll: look,
    wheel(event) {
      // With Ctrl it zooms, with Shift it goes sideways.
      if (event.deltaY !== 0 && !event.ctrlKey && !event.shiftKey) meant(event, event.deltaY < 0)
    },
    touchstart({ touches }) {
      touchY = touches[0]?.clientY ?? 0
    },
    touchmove(event) {
      const [finger, other] = event.touches
      if (finger && !other && finger.clientY - touchY > slopPx) meant(event, true)
    },
    keydown(event) {
      if (event.key === 'ArrowUp' || event.key === 'PageUp' || event.key === 'Home') meant(event, true)
    },
  }
  const names = Object.keys(listeners) as (keyof HTMLElementEventMap)[]
  for (const name of names) scroller.addEventListener(name, listeners[name] as EventListener, { passive: true })
  return {
    get isFollowing() {
      return isFollowing
    },
    update,
    follow,
    close() {
      for (const name of names) scroller.removeEventListener(name, listeners[name] as EventListener)
    },
  }
}
