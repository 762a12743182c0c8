import { toErrorBody } from '@midstream/core'
import { readRun } from '../connection/read-run.ts'
import { droppedError } from '../connection/refusal.ts'
import type { ChatMessage } from '../message.ts'
import type { Ask } from '../state/kept-chat.ts'
import type { Interrupts } from '../state/reply.ts'
import type { InterruptControl } from './interrupts.ts'
import { requestBody } from './request-body.ts'
import type { Shared } from './shared.ts'

/** What a reply is asked for with. */
interface Asking {
  /** The run that the request ends. */
  readonly ends: Interrupts | undefined
  readonly messages: readonly ChatMessage[]
  /** A reply to go on with. */
  readonly partial?: ChatMessage | undefined
  /** What becomes of a run that somebody else has started meanwhile. */
  readonly busy?: 'reject' | undefined
  /** How often it was asked for in vain. */
  readonly tries?: number | undefined
}

/** Asks for replies and reads them; one at a time. */
export interface Replies {
  /** Starts a run: the reply to these messages, or more of a partial one. The same request ends whatever runs. */
  start(asking: Asking): Promise<ChatMessage>
  /** Reads the run of the state, which may be there: it is looked for first. */
  join(runId: string, reply: ChatMessage, ask: Ask | undefined): void
  /** Gives up the reader. */
  stop(): void
  /**
   * Whether what is shown has to stay: the body of a request is made, which is always the same, and no text has come; an interrupt is
   * not confirmed; or a reply has ended and may go on by itself.
   */
  isBusy(): boolean
}

/** @param next - What follows by itself when a reply has ended. */
export function createReplies(
  shared: Shared,
  interrupts: InterruptControl,
  next: (ended: ChatMessage) => ChatMessage | Promise<ChatMessage>,
): Replies {
  const { store, limits, closing, newId } = shared
  let abort = new AbortController()
  let isPosted = false
  /** The run whose reply is read, or has ended and may go on by itself. */
  let followed: string | undefined

  const read = async (
    runId: string,
    reply: ChatMessage,
    ask: Ask | undefined,
    joins: boolean,
    signal: AbortSignal,
    tries = 0,
  ): Promise<ChatMessage> => {
    if (!signal.aborted) followed = runId
    for (let isSettled = signal.aborted; !isSettled;) {
      isSettled = true
      try {
        isPosted = true
        const body = ask && requestBody(shared, runId, ask, signal)
        // Not awaited where it is known: the request is on its way in the tick of its message.
        const json = body instanceof Promise ? await body : body
        for await (const reading of readRun({ ...shared, runId, json, joins, tries, signal })) {
          // Joined anew it is the same run with another reader: the id alone would not tell.
          if (signal.aborted) break
          store.step({ runId, ...reading })
          store.paint()
        }
        // The reader has ended, so has the reply, whatever its last event was.
        if (!signal.aborted) store.step({ type: 'lose', runId, error: toErrorBody(droppedError()) })
      } catch (cause) {
        // An abort comes after the step that ended the run.
        if (signal.aborted) break
        // A gateway that takes less than it was believed to is asked again, with less.
        if (ask && limits.refused(cause)) {
          isSettled = false
          continue
        }
        // A request that was refused, or never sent, has ended nothing.
        if (ask?.interrupts && !store.state.run?.isOpen) void interrupts.tell(ask.interrupts)
        store.step({ type: 'lose', runId, error: toErrorBody(cause) })
      }
    }
    await store.painted()
    await interrupts.unconfirmed
    const { snapshot, run } = store.state
    // A conversation that is gone has taken its messages along.
    const ended = snapshot.messages.find(({ id }) => id === reply.id) ?? { ...reply, state: 'interrupted' }
    const last = closing.aborted || run ? ended : next(ended)
    if (followed === runId) {
      followed = undefined
      // What waited for this may be shown now.
      store.observe()
    }
    return last
  }

  return {
    start({ ends, messages, partial, busy, tries }) {
      const runId = newId('run')
      // Without text there is nothing to go on from: the model starts over. Who stands back for another tab needs the version.
      const before = partial?.content
        ? partial
        : { id: partial?.id ?? newId('msg'), role: 'assistant' as const, content: '', version: partial?.version }
      const reply: ChatMessage = { ...before, state: 'streaming', reason: undefined, error: undefined }
      interrupts.forget()
      abort = new AbortController()
      // Another copy, met as this is stored, may have gone on with the same reply: that run is read then, and this one never asked for.
      const { signal } = abort
      const ask: Ask = { interrupts: ends, busy }
      isPosted = false
      store.step({ type: 'submit', runId, messages, reply, ask, version: shared.versionNow() })
      // A page that is left in this moment has to know its run, and what else was said.
      store.settle()
      const following = shared.during(read(runId, reply, ask, false, signal, tries))
      store.notify()
      return following
    },
    join(runId, reply, ask) {
      abort = new AbortController()
      void shared.during(read(runId, reply, ask, true, abort.signal))
    },
    stop: () => abort.abort(),
    isBusy() {
      const { run, snapshot } = store.state
      return run ? isPosted && run.position === 0 : followed !== undefined || snapshot.status === 'interrupting'
    },
  }
}
