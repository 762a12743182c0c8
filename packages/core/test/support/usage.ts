import type { Usage } from '../../src/wire/events.ts'

/** What an event says of a run whose tokens nobody but the gateway has counted. */
export const estimated = (tokens: number): { usage: Usage } => ({
  usage: { completion_tokens: tokens, estimated: true },
})
