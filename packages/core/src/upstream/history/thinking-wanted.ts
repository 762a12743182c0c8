/**
 * Sentences by which servers say that a turn with tool calls has to come with the thinking that was before them (Kimi, DeepSeek,
 * and those who pass their words on). All were seen in the wild. A name in front of a colon is an echo of the request.
 */
const wanted: readonly RegExp[] = [
  /\breasoning_content\b(?!\\?["']\s*:)[^{}]{0,80}\b(?:missing|required|must (?:not )?be|(?:not|n't) (?:be )?(?:found|provided|included|passed|empty|sent))/i,
  /\b(?:missing|requires?|must (?:have|pass|send|include|provide|contain)|without)\b[^{}]{0,80}\breasoning_content\b(?!\\?["']\s*:)/i,
  /\b(?:thinking|reasoning)\b[^{}]{0,60}\bmust be (?:passed|sent) back\b/i,
]

/** How much of a server's words is looked at, UTF-16 code units: bodies repeat what they were sent. */
const maxSaid = 8_192

/** Whether a server's words mean that it wants thinking back. */
export function wantsThinking(said: string): boolean {
  const brief = said.slice(0, maxSaid)
  return wanted.some((words) => words.test(brief))
}
