// What the smoke tests look at things with.

/** Resolves once the last message is this text. */
export function shows(session, text) {
  return new Promise((resolve) => {
    const look = () => {
      if (session.getSnapshot().messages.at(-1)?.content !== text) return
      leave()
      resolve()
    }
    const leave = session.subscribe(look)
    look()
  })
}

export const texts = (session) =>
  session
    .getSnapshot()
    .messages.map(({ content }) => content)
    .join(' | ')

export function equal(actual, expected) {
  if (actual !== expected) throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
}
