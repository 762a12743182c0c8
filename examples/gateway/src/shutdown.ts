import type { Gateway } from '@midstream/core/gateway'
import type { Server } from 'node:http'

/** How long the last frames may take to get out, ms. */
const graceMs = 1_000
/** The same for somebody who has asked twice, ms. */
const hurryMs = 100

/** The end of the program. */
export interface Shutdown {
  readonly isDraining: boolean
  /** No new runs; the running ones go on for `drainMs`, then end as interrupted by `shutdown`. Resolves when all is closed. */
  drain(): Promise<void>
  /** The same at once; ends a `drain` that waits. */
  hurry(): void
}

export function createShutdown(gateway: Gateway, server: Server, drainMs: number): Shutdown {
  let isDraining = false
  let longestMs = graceMs
  return {
    get isDraining() {
      return isDraining
    },
    async drain() {
      isDraining = true
      await gateway.close({ drainMs })
      // Node closes the connections that are idle now; those that get idle later are kept alive for their client.
      const idle = setInterval(() => server.closeIdleConnections(), 20)
      const force = setTimeout(() => server.closeAllConnections(), longestMs)
      await new Promise<void>((resolve) => server.close(() => resolve()))
      clearInterval(idle)
      clearTimeout(force)
    },
    hurry() {
      longestMs = hurryMs
      void gateway.close()
    },
  }
}
