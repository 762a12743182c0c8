import { stepChat, type ChatInput, type ChatState } from '../state/chat-state.ts'
import { tell } from './schedule.ts'

/** Holds how a conversation stands, and who is told of it. */
export interface Store {
  /** What is known. */
  readonly state: ChatState
  /** What the person sees. Text runs ahead of it by a paint at most. */
  readonly shown: ChatState
  readonly listeners: Set<() => void>
  /** Listeners of the extensions. */
  readonly observers: Set<() => void>
  step(input: ChatInput): void
  /** Lets the extensions see how things stand, though nothing is new. */
  observe(): void
  /** Lets the extensions see how things stand. @returns Whether there is something new for the listeners. */
  settle(): boolean
  notify(): void
  publish(): void
  /** Publishes with the next paint. */
  paint(): void
  /** Settles once the person can see how things stand. */
  painted(): Promise<void>
}

export function createStore(state: ChatState, schedule: (publish: () => void) => void): Store {
  let shown = state
  let isScheduled = false
  const listeners = new Set<() => void>()
  const observers = new Set<() => void>()
  const observe = (): void => {
    for (const observer of observers) tell(observer)
  }
  const settle = (): boolean => {
    isScheduled = false
    if (shown === state) return false
    while (shown !== state) {
      shown = state
      observe()
    }
    return true
  }
  const notify = (): void => {
    for (const listener of listeners) tell(listener)
  }
  const publish = (): void => {
    if (settle()) notify()
  }
  return {
    get state() {
      return state
    },
    get shown() {
      return shown
    },
    listeners,
    observers,
    step: (input) => void (state = stepChat(state, input)),
    observe,
    settle,
    notify,
    publish,
    paint() {
      if (isScheduled) return
      isScheduled = true
      schedule(publish)
    },
    painted: () =>
      new Promise((resolve) => {
        schedule(() => {
          publish()
          resolve()
        })
      }),
  }
}
