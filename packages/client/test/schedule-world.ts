import type { Run } from '@midstream/core/gateway'
import { createGateway } from '@midstream/core/gateway'
import {
  manualClock,
  scriptedUpstream,
  seededRandom,
  type ManualClock,
  type ScriptedReply,
  type ScriptedUpstream,
  type SeededRandom,
} from '@midstream/core/testing'
import { bytesOf, createPage, type Page, type Shared } from './schedule-page.ts'

/** What of a reply is no text. */
export type Part = 'thinking' | 'data' | 'call'

/**
 * Two to five pages of one conversation, one gateway and its model server, in one process and on one clock. No sockets, no
 * streams of the platform, no real timers: ten thousand of these are played.
 */
export interface World {
  readonly random: SeededRandom
  readonly clock: ManualClock
  readonly upstream: ScriptedUpstream
  readonly pages: readonly [Page, ...Page[]]
  /** Replies that the gateway still reads. */
  live(): ScriptedReply[]
  /** Replies that nobody reads any more. */
  late(): ScriptedReply[]
  /** Lets the model say something that tells whose it is. */
  say(reply: ScriptedReply, gap: string): void
  /** Lets the model say something that is no text, and tells whose it is. */
  add(reply: ScriptedReply, kind: Part): void
  /** Ends a reply in some way; what is said afterwards is late. */
  stop(reply: ScriptedReply, how: (reply: ScriptedReply) => void): void
  /** What each reply has said while it was read. */
  readonly said: ReadonlyMap<ScriptedReply, string>
  /** Interrupts a run from somewhere else, at any position. @returns Whether there was one. */
  interruptElsewhere(): boolean
  /** Runs that have begun and not ended, by session. */
  readonly active: ReadonlyMap<string, ReadonlySet<string>>
  readonly ended: readonly Run[]
  /** The text that the pages share, and who wrote it last. */
  readonly stored: Shared['stored']
  /** Wrong things that happened inside of callbacks. */
  readonly wrong: string[]
}

export function createWorld(seed: number): World {
  const random = seededRandom(seed)
  const clock = manualClock()
  const upstream = scriptedUpstream()
  const said = new Map<ScriptedReply, string>()
  const stopped = new Set<ScriptedReply>()
  const active = new Map<string, Set<string>>()
  const ended: Run[] = []
  const over = new Set<string>()
  const wrong: string[] = []
  const gateway = createGateway({
    upstream,
    clock,
    random,
    onRunEnd({ run }) {
      ended.push(run)
      over.add(run.runId)
      active.get(run.sessionId)?.delete(run.runId)
    },
  })
  const begin = (sessionId: string, runId: string): void => {
    if (over.has(runId)) return
    const runs = active.get(sessionId) ?? new Set()
    active.set(sessionId, runs.add(runId))
  }
  const isLate = (reply: ScriptedReply): boolean => reply.signal.aborted || stopped.has(reply)
  const hasStorage = random.below(4) > 0
  const stored = { text: undefined, by: undefined }
  const shared: Shared = { clock, random, gateway, begin, wrong, hasStorage, stored, ends: [] }
  const more = random.pick([0, 0, 0, 1, 2, 3])
  let parts = 0
  return {
    random,
    clock,
    upstream,
    pages: [createPage(shared), ...Array.from({ length: more + 1 }, () => createPage(shared))],
    live: () => upstream.replies.filter((reply) => !isLate(reply)),
    late: () => upstream.replies.filter(isLate),
    said,
    say(reply, gap) {
      const before = said.get(reply) ?? ''
      const text = `${gap}${upstream.replies.indexOf(reply)}.${before.length};`
      if (!isLate(reply)) said.set(reply, before + text)
      reply.send(text)
    },
    add(reply, kind) {
      const id = `${upstream.replies.indexOf(reply)}.${(parts += 1)}`
      if (kind === 'thinking') reply.send({ thinking: `${id};` })
      else if (kind === 'data') reply.send({ data: { type: 'sources', id } })
      else reply.send({ tool_call: { id, name: 'look', arguments: {} } })
    },
    stop(reply, how) {
      stopped.add(reply)
      how(reply)
    },
    interruptElsewhere() {
      const [runId] = [...active.values()].flatMap((runs) => Array.from(runs))
      if (runId === undefined) return false
      void gateway.reply({
        method: 'POST',
        url: `http://gateway.test/api/chat/runs/${runId}/interrupt`,
        headers: new Headers(),
        body: bytesOf(JSON.stringify({ position: random.below(20) })),
        signal: new AbortController().signal,
      })
      return true
    },
    active,
    ended,
    stored: shared.stored,
    wrong,
  }
}
