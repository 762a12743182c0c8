/** One turn of the event loop: whatever can happen without time passing has happened then. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
