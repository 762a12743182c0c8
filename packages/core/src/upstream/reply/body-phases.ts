import type { Clock } from '../../clock.ts'
import { maxErrorChars } from '../http/http.ts'
import type { TransportSink } from '../http/transport.ts'

/** How long the words of an error are waited for, ms. */
const errorMs = 2_000
/** How long what follows a whole reply is read, ms: only a connection whose answer was read to its end is used again. */
const restMs = 100
/** How much of it is read, bytes. */
const maxRest = 65_536

/** Takes one phase of an answer: its words of an error, its reply, or what follows that. */
export interface Phase extends Pick<TransportSink, 'data' | 'end' | 'error'> {
  /** Nobody waits for it any more. */
  stop?(): void
}

export const nothing: Phase = { data: () => undefined, end: () => undefined, error: () => undefined }

/** What follows a whole reply. How its connection ends concerns nobody. */
export function restPhase(clock: Clock, close: () => void): Phase {
  let left = maxRest
  const disarm = clock.after(restMs, close)
  return {
    data(bytes) {
      left -= bytes.length
      if (left <= 0) close()
    },
    end: disarm,
    error: disarm,
    stop: disarm,
  }
}

const bom = /* @__PURE__ */ new Set([0xef, 0xbb, 0xbf])

/** A body that is called a page, as PHP calls whatever nobody has named: a page begins with `<`. */
export function pagePhase(reply: (isJson: boolean) => Phase, page: () => Phase): Phase {
  let phase: Phase | undefined
  return {
    data(bytes) {
      if (!phase) {
        const first = bytes.find((byte) => byte > 0x20 && !bom.has(byte))
        if (first === undefined) return undefined
        phase = first === 0x3c ? page() : reply(first === 0x7b || first === 0x5b)
      }
      return phase.data(bytes)
    },
    end: () => (phase ??= page()).end(),
    error: (cause) => (phase ??= page()).error(cause),
    stop: () => phase?.stop?.(),
  }
}

/** The beginning of a body that says what is wrong, however it ends. */
export function errorPhase(clock: Clock, tell: (said: string) => void): Phase {
  const utf8 = new TextDecoder()
  let said = ''
  let isTold = false
  const end = (): void => {
    disarm()
    if (!isTold) tell(said.slice(0, maxErrorChars))
    isTold = true
  }
  const disarm = clock.after(errorMs, end)
  return {
    data(bytes) {
      said += utf8.decode(bytes, { stream: true })
      if (said.length >= maxErrorChars) end()
    },
    end,
    error: end,
    stop: disarm,
  }
}
