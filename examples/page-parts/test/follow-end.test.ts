import { expect, test } from 'vitest'
import { followEnd, follows, type EndFollower } from '../src/follow-end.ts'

test('follows: scrolling up ends it; the end, or coming near it downwards, resumes it', () => {
  expect(follows(true, { top: 99, end: 101 }, 100)).toBe(false)
  expect(follows(true, { top: 120, end: 160 }, 100)).toBe(true)
  expect(follows(false, { top: 120, end: 160 }, 100)).toBe(false)
  expect(follows(false, { top: 120, end: 140 }, 100)).toBe(true)
})

test('follows: a list that only grows says nothing of the user', () => {
  expect(follows(true, { top: 100, end: 900 }, 100)).toBe(true)
  expect(follows(false, { top: 100, end: 900 }, 100)).toBe(false)
  expect(follows(false, { top: 100, end: 101 }, 100)).toBe(false)
})

test('follows: a list that got shorter than it was scrolled is at its end; one that is longer still is not', () => {
  expect(follows(true, { top: 50, end: 50 }, 100)).toBe(true)
  expect(follows(false, { top: 50, end: 50 }, 100)).toBe(true)
  expect(follows(false, { top: 40, end: 50 }, 100)).toBe(false)
  expect(follows(true, { top: 40, end: 50 }, 100)).toBe(false)
})

test('follows: what a browser rounds off at the end is no scrolling up', () => {
  expect(follows(true, { top: 99.6, end: 100 }, 100)).toBe(true)
  expect(follows(false, { top: 99.6, end: 100 }, 100)).toBe(false)
})

/** A box of 100 px that scrolls as a browser's does: no further than its end, and the event comes later. */
class Box extends EventTarget {
  #top = 0
  #height = 100
  readonly clientHeight = 100
  get scrollHeight(): number {
    return this.#height
  }
  get scrollTop(): number {
    return this.#top
  }
  set scrollTop(top: number) {
    this.#top = Math.max(0, Math.min(top, this.#height - this.clientHeight))
  }
  /** How much is below what is seen. */
  get below(): number {
    return this.#height - this.clientHeight - this.#top
  }
  resize(height: number): void {
    this.#height = height
    this.scrollTop = this.#top
  }
  tell(type: string, init: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), init))
  }
}
interface Bed {
  readonly box: Box
  readonly follower: EndFollower
  readonly changes: boolean[]
  grow(by: number): void
}
function bed(): Bed {
  const box = new Box()
  const changes: boolean[] = []
  const follower = followEnd(box, (isFollowing) => changes.push(isFollowing))
  const grow = (by: number): void => {
    box.resize(box.scrollHeight + by)
    follower.update()
  }
  grow(400)
  box.tell('scroll')
  return { box, follower, changes, grow }
}
const finger = (...at: number[]): object => ({ touches: at.map((clientY) => ({ clientY })) })

test('followEnd: a growing list is kept at its end, and the scroll event of its own changes nothing', () => {
  const { box, grow, changes } = bed()
  for (let i = 0; i < 3; i++) {
    grow(20)
    expect(box.below).toBe(0)
    box.tell('scroll')
  }
  expect(changes).toEqual([])
})

test('followEnd: scrolling up wins over text that comes before the scroll event', () => {
  const { box, grow, changes } = bed()
  box.scrollTop -= 5
  grow(20)
  expect([box.below, changes]).toEqual([25, [false]])
  box.tell('scroll')
  grow(20)
  expect([box.below, changes]).toEqual([45, [false]])
})

test('followEnd: less scrolling up than the text has grown by is still scrolling up', () => {
  const { box, grow, changes } = bed()
  grow(24)
  // The event of the list's own scrolling tells of the user's as well.
  box.scrollTop -= 5
  box.tell('scroll')
  expect(changes).toEqual([false])
})

test.for<[name: string, (box: Box) => void]>([
  ['a wheel', (box) => box.tell('wheel', { deltaY: -30 })],
  [
    'a finger',
    (box) => {
      box.tell('touchstart', finger(50))
      box.tell('touchmove', finger(60))
    },
  ],
  ['the key ArrowUp', (box) => box.tell('keydown', { key: 'ArrowUp' })],
  ['the key PageUp', (box) => box.tell('keydown', { key: 'PageUp' })],
  ['the key Home', (box) => box.tell('keydown', { key: 'Home' })],
])('followEnd: %s counts before anything has moved', ([, act]) => {
  const { box, grow, changes } = bed()
  grow(20)
  act(box)
  // What was on its way: an event of the list's own, and text.
  box.tell('scroll')
  grow(20)
  expect([box.below, changes]).toEqual([20, [false]])
  // The first step of a smooth scroll.
  box.scrollTop -= 0.4
  box.tell('scroll')
  grow(20)
  expect([Math.round(box.below), changes]).toEqual([40, [false]])
})

test.for<[name: string, (box: Box) => void]>([
  ['a wheel that zooms', (box) => box.tell('wheel', { deltaY: -30, ctrlKey: true })],
  ['a wheel that goes sideways', (box) => box.tell('wheel', { deltaY: 0, deltaX: -30 })],
  [
    'a tap',
    (box) => {
      box.tell('touchstart', finger(50))
      box.tell('touchmove', finger(52))
    },
  ],
  [
    'a finger that scrolls down',
    (box) => {
      box.tell('touchstart', finger(50))
      box.tell('touchmove', finger(20))
    },
  ],
  [
    'two fingers',
    (box) => {
      box.tell('touchstart', finger(50, 90))
      box.tell('touchmove', finger(60, 95))
    },
  ],
  ['another key', (box) => box.tell('keydown', { key: 'a' })],
])('followEnd: %s ends nothing', ([, act]) => {
  const { box, grow, changes } = bed()
  act(box)
  grow(20)
  expect([box.below, changes]).toEqual([0, []])
})

test('followEnd: a list that is too short to be scrolled stays followed', () => {
  const box = new Box()
  const follower = followEnd(box)
  box.tell('wheel', { deltaY: -30 })
  expect(follower.isFollowing).toBe(true)
})

test('followEnd: scrolling back down, the wheel at the end, and follow() resume it', () => {
  const { box, follower, changes, grow } = bed()
  box.scrollTop -= 50
  box.tell('scroll')
  box.scrollTop += 30
  box.tell('scroll')
  expect(changes).toEqual([false, true])
  box.tell('wheel', { deltaY: -30 })
  expect(changes).toEqual([false, true, false])
  box.scrollTop += 20
  box.tell('wheel', { deltaY: 30 })
  grow(20)
  expect([box.below, changes]).toEqual([0, [false, true, false, true]])
  box.scrollTop -= 200
  box.tell('scroll')
  follower.follow()
  expect([box.below, changes]).toEqual([0, [false, true, false, true, false, true]])
  box.tell('scroll')
  expect(follower.isFollowing).toBe(true)
})

test('followEnd: a list that is closed listens no more', () => {
  const { box, follower, changes } = bed()
  follower.close()
  box.scrollTop -= 50
  box.tell('scroll')
  box.tell('wheel', { deltaY: -30 })
  expect(changes).toEqual([])
})
