import type { Log } from './logs.ts'

/** What a server tells of its connections. */
export interface ConnectionWatch {
  /** One came that is over the limit: what it asks is refused. */
  crowded(): void
  /** One was closed without a word: they are too many for that, too. */
  dropped(): void
  /** One could not be taken, or the like; the server goes on. */
  failed(error: Error): void
}

/** Says once what a limit does; how often, the figures tell. */
export function watchConnections(log: Log, connections: number, count: () => void): ConnectionWatch {
  const told = new Set<string>()
  const tell = (words: string): void => {
    if (!told.has(words)) log.warn({ connections }, words)
    told.add(words)
  }
  return {
    crowded: () => tell('too many connections: more are refused; limits.connections would let them in'),
    dropped() {
      count()
      tell('far too many connections: more are closed without an answer')
    },
    failed: (error) =>
      log.error({ code: 'code' in error ? error.code : error.name }, 'the server failed, and listens on'),
  }
}
