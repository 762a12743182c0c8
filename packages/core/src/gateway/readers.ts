import { jsonOutput } from '../read/output/json.ts'
import { createPollReader, pollAwayMs } from '../read/poll-reader.ts'
import { createReader } from '../read/reader.ts'
import { readWhole } from '../read/whole-reader.ts'
import type { Run } from '../run/run.ts'
import { ChatError } from '../wire/errors.ts'
import type { GatewayPolicy } from './options.ts'
import { errorReply, jsonReply, streamReply, type GatewayReply } from './reply.ts'

/** The connections that read the runs of a gateway. */
export interface Readers {
  /** How many there are. */
  readonly count: number
  /**
   * A stream of frames. `?poll=1`: what is there is the whole answer, and the client asks again.
   * @throws {ChatError} `too_many_readers`.
   */
  read(run: Run, position: number, query: URLSearchParams): GatewayReply
  /**
   * `stream: false`: a client that goes away is a reader that leaves.
   * @throws {ChatError} `too_many_readers`.
   */
  whole(run: Run, signal: AbortSignal): Promise<GatewayReply>
}

export function createReaders({ clock, coalesce, heartbeat, limits }: GatewayPolicy): Readers {
  let count = 0

  const checkRoom = (run: Run): void => {
    if (run.readers < limits.readers) return
    throw new ChatError('too_many_readers', 'Too many readers of this run.', { retryable: true })
  }

  const read: Readers['read'] = (run, position, query) => {
    checkRoom(run)
    const onLeave = (): void => void (count -= 1)
    count += 1
    const { unreadMs } = limits
    const polls = query.has('poll')
    const awayMs = polls ? pollAwayMs : 0
    const reader = createReader(run, { clock, coalesce, heartbeat, position, unreadMs, awayMs, onLeave })
    return streamReply(polls ? createPollReader(reader) : reader, run)
  }

  const whole: Readers['whole'] = async (run, signal) => {
    checkRoom(run)
    count += 1
    const terminal = await readWhole(run, signal, () => void (count -= 1))
    // Nobody reads it.
    if (!terminal) return { status: 499, headers: {}, body: null }
    const { status, headers } = terminal.reason === 'error' ? errorReply(run.error) : { status: 200, headers: {} }
    const ids = { 'session-id': run.sessionId, 'run-id': run.runId }
    return jsonReply(status, jsonOutput(run, terminal), { ...headers, ...ids })
  }
  return {
    get count() {
      return count
    },
    read,
    whole,
  }
}
