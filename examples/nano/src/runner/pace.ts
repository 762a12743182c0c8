/** How far behind its plan a generation may be and still catch up, ms. More is a pause, which must not end in a burst. */
const maxLagMs = 250

/** The least time between two tokens, ms; 0 when the pace is unlimited. */
export function paceInterval(tokensPerSecond: number): number {
  return tokensPerSecond > 0 ? 1000 / tokensPerSecond : 0
}

/**
 * Says when the next token is due, given when this one was. Counting from the plan and not from `now` keeps the rate
 * exact: a late timer makes one gap longer and the next one shorter.
 * @param due - When the token that was just made was due, ms; null for the first token.
 */
export function nextDue(due: number | null, now: number, intervalMs: number): number {
  return Math.max((due ?? now) + intervalMs, now - maxLagMs)
}
