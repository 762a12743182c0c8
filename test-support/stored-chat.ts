/** The text of a conversation as `persist` of `@midstream/client` stores it; its messages may be anything. */
export function storedChat(messages: unknown): string {
  return JSON.stringify({ sessionId: `sess_${'0'.repeat(32)}`, version: 1, runs: [], messages })
}

/** The key of the main conversation in the page's storage. */
export const storedKey = 'midstream'
