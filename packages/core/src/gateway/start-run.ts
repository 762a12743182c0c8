import type { Source } from '../pool/targets.ts'
import type { GenerationOptions } from '../run/generation.ts'
import type { PreparedReply } from '../run/prepare-run.ts'
import type { Run } from '../run/run.ts'
import { startRun } from '../run/start-run.ts'
import { claimSession, type LastRun } from '../session/claim.ts'
import { digestOf } from '../session/digest.ts'
import type { SessionCache } from '../session/session-cache.ts'
import { continuationPoint } from '../upstream/history/continuation.ts'
import { ChatError } from '../wire/errors.ts'
import { hash64 } from '../wire/hash64.ts'
import { createId } from '../wire/ids.ts'
import type { ChatRequest } from '../wire/messages.ts'
import { askedBy, type Asker } from './asked-by.ts'
import { askedHistory } from './asked-history.ts'
import type { Directory } from './directory.ts'
import type { GatewayPolicy } from './options.ts'
import { owned } from './owner.ts'
import { preparedQuestion, type Question } from './prepare.ts'
import { createRunEnds, type Begun } from './run-ends.ts'
import type { Saves } from './saves.ts'

/**
 * Starts a run, ending what it supersedes, in one synchronous step; the same id with the same body gives the run that is there.
 * @throws {ChatError} `session_busy`, `run_conflict`, `expired`, `not_found`, `overloaded`, `too_many_runs`, `breaker_open`.
 */
export type StartRun = (chat: ChatRequest, asker: Asker, body: string) => Run

/** What a start does, and in which order. */
export function createStartRun(
  policy: GatewayPolicy,
  { directory, sessions, saves }: { directory: Directory; sessions: SessionCache; saves: Saves },
): StartRun {
  const { clock, random, targets } = policy
  const ends = createRunEnds(policy, directory, sessions, saves)

  /** How much of a partial stays: at the last run's own delta boundary, where that run is still known and left this text. */
  const continuation = (content: string, lastRun: LastRun | null): { run_id?: string; position: number } => {
    const found = lastRun ? directory.get(lastRun.runId, clock.now()) : undefined
    if (!found || found === 'expired') return { position: continuationPoint(content, undefined) }
    const { run } = found
    const { begun } = run
    const isOfRun = content.startsWith(begun) && run.log.partial().content.startsWith(content.slice(begun.length))
    // Where the last run itself went on, the next one may, too.
    const deltaEnds = isOfRun ? [begun.length, ...run.log.deltaEnds().map((end) => begun.length + end)] : undefined
    return { run_id: run.runId, position: continuationPoint(content, deltaEnds) }
  }

  return (chat, asker, body) => {
    const { identity, client } = asker
    const { owner } = identity
    const now = clock.now()
    const bodyHash = hash64(body)
    const known = chat.run_id === undefined ? undefined : directory.find(chat.run_id, owner, now)
    if (known && known.body !== bodyHash)
      throw new ChatError('run_conflict', 'A run with this id was started by another request.')
    if (known) return known.run

    const runId = chat.run_id ?? createId('run', random)
    const sessionId = chat.session_id ?? createId('sess', random)
    const claimed = claimSession(owned(sessions.get(sessionId, now), owner, 'session'), {
      now,
      owner,
      runId,
      sessionId,
      // Without the opening of the conversation there is nothing to compare.
      digest: chat.omitted ? undefined : digestOf(chat.messages),
      forkId: createId('sess', random),
      interrupts: chat.interrupts,
      whenBusy: chat.when_busy,
    })
    if ('busy' in claimed)
      throw new ChatError('session_busy', 'Another run of this session is still going.', { retryable: true })
    const superseded = claimed.ends ? directory.stoppable(claimed.ends.runId, owner, now) : undefined
    const freed = superseded ? 1 : 0
    if (directory.activeCount - freed >= policy.limits.runs) {
      throw new ChatError('overloaded', 'Too many runs at once.', { retryable: true })
    }
    // Who supersedes somebody else's run frees none of their own.
    const ownFreed = superseded && superseded.client === client ? 1 : 0
    if (client !== undefined && ends.of(client) - ownFreed >= policy.limits.clientRuns) {
      throw new ChatError('too_many_runs', 'This client has too many runs at once.', { retryable: true })
    }
    const model = chat.model ?? targets.model
    const question: Question = {
      model,
      // The reply that the last run left is the one that grows: it is no part of the history, and gets no note.
      messages: chat.resume ? chat.messages.slice(0, -1) : chat.messages,
      system: policy.system,
      tools: chat.tools,
      options: chat.options,
      think: chat.think,
    }
    const begin = (name: string): Source => targets.begin(name, () => askedBy(chat, asker))
    // A breaker that is open refuses the request, unless the app has yet to say who is asked.
    const source = policy.prepare ? undefined : begin(model)
    const ended: Begun = { source, client, metadata: chat.metadata, context: identity }

    // From here on nothing is refused. The session is the new run's before the old one ends, so its end cannot free it.
    try {
      sessions.put(claimed.session, now)
      superseded?.run.interrupt('superseded', claimed.ends?.position)
      // A start that this request has overtaken must not begin any more.
      if (chat.interrupts) directory.stoppable(chat.interrupts.run_id, owner, now)
      const { id, lastRun } = sessions.get(claimed.session.id, now) ?? claimed.session
      const partial = chat.resume && chat.messages.at(-1)!.content
      const continues = partial === undefined ? undefined : continuation(partial, lastRun)
      const begun = partial?.slice(0, continues?.position) ?? ''
      const generationOf = (asked: Question, by: Source): GenerationOptions => {
        const { tools, options, think } = asked
        const messages = askedHistory(asked.messages, partial === undefined ? lastRun : null, asked.system)
        const request = { messages, tools, options, think, interruptedNote: policy.interruptedNote }
        return {
          open: ({ prefill, spent }, sink, signal) =>
            by.open({ ...request, prefill: begun + prefill, spent }, sink, signal),
          failover: by,
          clock,
          random,
          fuse: tools === undefined ? policy.fuse : { ...policy.fuse, stallMs: policy.fuse.toolStallMs },
          recovery: policy.recovery,
        }
      }
      const prepare = async (signal: AbortSignal): Promise<() => PreparedReply> => {
        // What the app loads now has to hold what the last run left.
        await Promise.all([id, superseded?.run.sessionId ?? id].map(saves.settled))
        if (signal.aborted) throw signal.reason
        const { system: _, ...asked } = question
        const { metadata, after, omitted = 0 } = chat
        const input = { ...asked, metadata, context: identity, after, omitted, sessionId: id, runId, signal }
        const said = await policy.prepare?.(input)
        const prepared = preparedQuestion(question, said, targets)
        return () => {
          const by = begin(prepared.model)
          ended.source = by
          const successor = by.successor ?? (prepared.model === model ? undefined : by.named())
          return { ...generationOf(prepared, by), model: prepared.model, successor }
        }
      }
      return startRun(
        {
          runId,
          sessionId: id,
          model,
          begun,
          continues,
          clock,
          orphanMs: chat.reconnect ? policy.orphanMs : 0,
          onEnd: ends.end(ended),
          onStart(started) {
            ends.count(client)
            directory.add({ run: started, owner, body: bodyHash, client })
          },
        },
        source ? generationOf(question, source) : { prepare, prepareMs: policy.prepareMs },
      )
    } catch (error) {
      // A bug of ours must not leave the breaker waiting for a run that has never come about.
      source?.leave()
      throw error
    }
  }
}
