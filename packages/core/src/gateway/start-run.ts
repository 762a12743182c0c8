import type { Source } from '../pool/targets.ts'
import type { Run } from '../run/run.ts'
import { startRun } from '../run/start-run.ts'
import { claimSession, releaseSession, type LastRun } from '../session/claim.ts'
import { digestOf } from '../session/digest.ts'
import type { SessionCache } from '../session/session-cache.ts'
import { continuationPoint } from '../upstream/history/continuation.ts'
import { ChatError, isChatError } from '../wire/errors.ts'
import { hash64 } from '../wire/hash64.ts'
import { createId } from '../wire/ids.ts'
import type { ChatRequest, ChatTurn } from '../wire/messages.ts'
import { ownFault } from './app-errors.ts'
import type { Directory } from './directory.ts'
import { networkOf } from './network.ts'
import type { GatewayPolicy } from './options.ts'
import { owned, type Owner } from './owner.ts'

/** Who asks. */
interface Asker {
  readonly owner: Owner
  /** Whose runs are counted together; undefined counts nobody's. */
  readonly client: string | undefined
  /** The address of the other end of the socket. */
  readonly address: string | undefined
}

/**
 * Starts a run, ending what it supersedes, in one synchronous step; the same id with the same body gives the run that is there.
 * @throws {ChatError} `session_busy`, `run_conflict`, `expired`, `not_found`, `overloaded`, `too_many_runs`, `breaker_open`.
 */
export type StartRun = (chat: ChatRequest, asker: Asker, body: string) => Run

/** What a start does, and in which order. */
export function createStartRun(policy: GatewayPolicy, directory: Directory, sessions: SessionCache): StartRun {
  const { clock, random, targets } = policy
  /** How many runs each client has at once. */
  const clients = new Map<string, number>()

  /** How much of a partial stays: at the last run's own delta boundary, where that run is still known and left this text. */
  const continuation = (content: string, lastRun: LastRun | null): { run_id?: string; position: number } => {
    const found = lastRun ? directory.get(lastRun.runId, clock.now()) : undefined
    if (!found || found === 'expired') return { position: continuationPoint(content, undefined) }
    const { run, begun } = found
    const isOfRun = content.startsWith(begun) && run.log.partial().content.startsWith(content.slice(begun.length))
    // Where the last run itself went on, the next one may, too.
    const deltaEnds = isOfRun ? [begun.length, ...run.log.deltaEnds().map((end) => begun.length + end)] : undefined
    return { run_id: run.runId, position: continuationPoint(content, deltaEnds) }
  }

  /** Made here, and not where the run is: what a kept run holds on to must not hold the history. */
  const endOf =
    (source: Source, client: string | undefined) =>
    (run: Run): void => {
      policy.appErrors.guard(() => source.end(outcomeOf(run)), { run })
      if (client !== undefined) count(client, -1)
      onEnd(run)
    }
  const count = (client: string, added: number): void => {
    const left = (clients.get(client) ?? 0) + added
    if (left > 0) clients.set(client, left)
    else clients.delete(client)
  }
  const onEnd = (run: Run): void => {
    const now = clock.now()
    const begun = directory.end(run.runId, now)?.begun ?? ''
    const session = sessions.get(run.sessionId, now)
    if (session) sessions.put(releaseSession(session, lastRunOf(run, begun), now), now)
    const { onRunEnd, appErrors } = policy
    const fault = ownFault(run)
    if (fault !== undefined) appErrors.report(fault, { run })
    // An app's log must not be able to break a run.
    if (onRunEnd) appErrors.guard(() => onRunEnd(run), { run })
  }

  return (chat, asker, body) => {
    const { owner, client } = asker
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
    if (client !== undefined && (clients.get(client) ?? 0) - ownFreed >= policy.limits.clientRuns) {
      throw new ChatError('too_many_runs', 'This client has too many runs at once.', { retryable: true })
    }
    const model = chat.model ?? targets.model
    const source = targets.begin(model, () => askedBy(chat, asker))

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
      const request = {
        // The reply that the last run left is the one that grows: it is no part of the history, and gets no note.
        messages:
          partial === undefined
            ? history(chat.messages, lastRun, policy.system)
            : history(chat.messages.slice(0, -1), null, policy.system),
        tools: chat.tools,
        think: chat.think,
        options: chat.options,
        interruptedNote: policy.interruptedNote,
      }
      return startRun({
        runId,
        sessionId: id,
        model,
        open: ({ prefill, spent }, sink, signal) =>
          source.open({ ...request, prefill: begun + prefill, spent }, sink, signal),
        failover: source,
        continues,
        clock,
        random,
        fuse: chat.tools === undefined ? policy.fuse : { ...policy.fuse, stallMs: policy.fuse.toolStallMs },
        recovery: policy.recovery,
        orphanMs: chat.reconnect ? policy.orphanMs : 0,
        onEnd: endOf(source, client),
        onStart(started) {
          if (client !== undefined) count(client, 1)
          directory.add({ run: started, owner, body: bodyHash, begun, client })
        },
      })
    } catch (error) {
      // A bug of ours must not leave the breaker waiting for a run that has never come about.
      source.leave()
      throw error
    }
  }
}

/** How a run ended, for the model server that answered it last. What is no error of ours says nothing of it. */
function outcomeOf({ state, error }: Run): 'success' | 'leave' | ChatError {
  if (state.phase !== 'ended' || state.terminal.reason === 'interrupted') return 'leave'
  if (state.terminal.reason !== 'error') return 'success'
  return isChatError(error) ? error : 'leave'
}

/**
 * Who asks, and what, whatever ids it has: what failures are told apart by. Each name that the app gives counts by itself: one
 * user may have many accounts, or many addresses. Where it gives none, the user's network is one.
 */
function askedBy(
  { messages, options, tools, think }: ChatRequest,
  { owner, client, address }: Asker,
): readonly string[] {
  const names = { client, owner, network: owner === undefined && client === undefined ? networkOf(address) : undefined }
  const request = hash64(JSON.stringify([messages, options, tools, think]))
  return Object.entries({ ...names, request }).flatMap(([kind, name]) => (name === undefined ? [] : `${kind} ${name}`))
}

function lastRunOf(run: Run, begun: string): LastRun {
  const terminal = run.state.phase === 'ended' ? run.state.terminal : undefined
  return {
    runId: run.runId,
    interruptedBy: terminal?.reason === 'interrupted' ? terminal.by : null,
    reply: hash64(begun + run.log.partial().content),
  }
}

/**
 * The history that goes up: with the gateway's own system prompt, and with the last reply marked as cut off when the
 * gateway knows that a person did so and the app did not say it.
 */
function history(
  messages: readonly ChatTurn[],
  lastRun: LastRun | null,
  system: string | undefined,
): readonly ChatTurn[] {
  const turns: ChatTurn[] = system === undefined ? [...messages] : [{ role: 'system', content: system }, ...messages]
  const at = turns.findLastIndex(({ role }) => role === 'assistant')
  const cutByPerson = lastRun?.interruptedBy === 'person' || lastRun?.interruptedBy === 'superseded'
  const reply = turns[at]
  if (reply && cutByPerson && hash64(reply.content) === lastRun.reply) turns[at] = { ...reply, interrupted: true }
  return turns
}
