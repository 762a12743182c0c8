import { followEnd, type EndFollower } from '@midstream/example-page-parts/follow-end'
import { useCallback, useLayoutEffect, useRef, useState, type RefObject } from 'react'

interface Autoscroll {
  readonly scroller: RefObject<HTMLDivElement | null>
  readonly isFollowing: boolean
  /** Goes to the end and stays there. */
  follow(): void
}

/** Keeps a growing list at its end. Scrolling up ends that at once; scrolling back down, or a new item, resumes it. */
export function useAutoscroll(items: readonly unknown[]): Autoscroll {
  const scroller = useRef<HTMLDivElement>(null)
  const follower = useRef<EndFollower>(undefined)
  const count = useRef(items.length)
  const [isFollowing, setFollowing] = useState(true)

  useLayoutEffect(() => {
    const element = scroller.current
    if (!element) return
    const made = followEnd(element, setFollowing)
    follower.current = made
    // A composer that grows and a window that shrinks take room away at the end.
    const observer = new ResizeObserver(() => made.update())
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.close()
    }
  }, [])

  useLayoutEffect(() => {
    if (items.length > count.current) follower.current?.follow()
    else follower.current?.update()
    count.current = items.length
  }, [items])

  const follow = useCallback(() => follower.current?.follow(), [])
  return { scroller, isFollowing, follow }
}
