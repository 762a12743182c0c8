/** Ends a text before the first of some stop texts, whatever the boundaries of its chunks. */
export interface StopText {
  /** Takes the next chunk; `text` is what may be shown now. */
  push(chunk: string): { text: string; stopped: boolean }
  /** What was held back because a stop text could have begun there. */
  flush(): string
}

/** Makes a stop-text filter; empty stop texts are ignored, as Ollama does. */
export function createStopText(stops: readonly string[]): StopText {
  const wanted = stops.filter((stop) => stop !== '')
  let held = ''
  return {
    push(chunk) {
      held += chunk
      const found = wanted.map((stop) => held.indexOf(stop)).filter((at) => at >= 0)
      if (found.length > 0) {
        const text = held.slice(0, Math.min(...found))
        held = ''
        return { text, stopped: true }
      }
      const safe = held.length - Math.max(0, ...wanted.map((stop) => overlap(held, stop)))
      const text = held.slice(0, safe)
      held = held.slice(safe)
      return { text, stopped: false }
    },
    flush() {
      const text = held
      held = ''
      return text
    },
  }
}

/** The length of the longest end of `text` that is a beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}
