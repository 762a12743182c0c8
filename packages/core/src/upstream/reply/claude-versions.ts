/** Claude's number in a model's name, e.g. `claude-opus-4-6`, `claude-3-7-sonnet-20250219`, `anthropic.claude-sonnet-4.5`. */
const named = /claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)/

/** @returns Whether the name is of a Claude from this version on; undefined for names that tell no version. */
export function isClaudeFrom(model: string, major: number, minor: number): boolean | undefined {
  const [, first, second = '0'] = named.exec(model) ?? []
  if (first === undefined) return undefined
  return Number(first) > major || (Number(first) === major && Number(second) >= minor)
}

/**
 * Whether a reply that has begun may be the last message: Claude answers it with 400 from 4.6 on. What has another name
 * is tried, and says so itself.
 */
export function continuesReplies(model: string): boolean {
  return isClaudeFrom(model, 4, 6) !== true
}
