import { ping } from '../heartbeat.ts'
import type { ChatEvent } from '../../wire/events.ts'
import { encodeSse } from '../../wire/sse.ts'
import type { Output } from './output.ts'

const frame = (event: ChatEvent, position?: number): string => encodeSse(JSON.stringify(event), position)

/** The wire of docs/design.md §3: one JSON object a frame, its position as the frame's id. */
export const midstreamOutput: Output = {
  start: ({ sessionId, runId, model, startedAt, continues }, position, heartbeatMs) =>
    frame({
      session_id: sessionId,
      run_id: runId,
      model,
      heartbeat_ms: heartbeatMs,
      started_at: Math.round(startedAt),
      ...(continues && { continues }),
      ...(position > 0 && { position }),
    }),
  entry: ({ event, position }) => frame(event, position),
  state(state, progress, now) {
    if (state.phase === 'ended') return frame(state.terminal)
    const { phase: status, retry, successor } = state
    const next = retry && { attempt: retry.attempt, retry_in_ms: Math.max(0, Math.ceil(retry.at - now)) }
    return frame({ status, ...next, ...successor, ...(progress && { progress }) })
  },
  ping: /* @__PURE__ */ frame(ping),
}
