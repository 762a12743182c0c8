import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react'

/** Scrolling down to this near the end, px, means the end. */
const nearPx = 24

interface Autoscroll {
  readonly scroller: RefObject<HTMLDivElement | null>
  readonly isFollowing: boolean
  /** Goes to the end and stays there. */
  follow(): void
  onScroll(): void
}

/** Keeps a growing list at its end. Scrolling up ends that at once; scrolling back down, or a new item, resumes it. */
export function useAutoscroll(items: readonly unknown[]): Autoscroll {
  const scroller = useRef<HTMLDivElement>(null)
  // The layout effect must know at once, not with the next render.
  const following = useRef(true)
  const lastTop = useRef(0)
  const count = useRef(items.length)
  const [isFollowing, setFollowing] = useState(true)

  const set = useCallback((value: boolean) => {
    following.current = value
    setFollowing(value)
  }, [])

  const toEnd = useCallback(() => {
    const element = scroller.current
    if (element && following.current) element.scrollTop = element.scrollHeight
  }, [])

  const follow = useCallback(() => {
    set(true)
    toEnd()
  }, [set, toEnd])

  const onScroll = useCallback(() => {
    const element = scroller.current
    if (!element) return
    const { scrollTop, scrollHeight, clientHeight } = element
    const left = scrollHeight - scrollTop - clientHeight
    const isUp = scrollTop < lastTop.current
    lastTop.current = scrollTop
    // Growth alone moves nothing: only a person scrolls up. A list that got shorter ends up at its end.
    if (left <= 1 || (!isUp && left < nearPx)) set(true)
    else if (isUp) set(false)
  }, [set])

  useLayoutEffect(() => {
    if (items.length > count.current) set(true)
    count.current = items.length
    toEnd()
  }, [items, set, toEnd])

  useEffect(() => {
    const element = scroller.current
    if (!element) return
    const observer = new ResizeObserver(toEnd)
    observer.observe(element)
    return () => observer.disconnect()
  }, [toEnd])

  return { scroller, isFollowing, follow, onScroll }
}
