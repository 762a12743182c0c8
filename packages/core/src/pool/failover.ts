import type { ChatError } from '../wire/errors.ts'

/** The model server that goes on with a reply after another one has failed. @public */
export interface Successor {
  readonly upstream: string
  readonly model: string
}

/** What a run has to know of the model servers that stand by, and they of it. */
export interface Failover {
  /** Who answers from the start, when it is not who should. */
  readonly successor: Successor | undefined
  /** The first delta of an attempt has come. */
  delta(): void
  /** True when other runs have found that the model server is not to be had: nobody need wait for it. */
  readonly isOpen: boolean
  /** True when another model server could go on now. */
  readonly hasStandby: boolean
  /** Gives the model server up for another one, which the next `open` asks. Null when there is none: it stays. */
  next(error: ChatError): Successor | null
  /** Calls back when `isOpen` becomes true. Returns how to leave. */
  onOpen(listener: () => void): () => void
}
