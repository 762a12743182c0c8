import { pump } from '../upstream/from-iterable.ts'
import type { Upstream, UpstreamEvent, UpstreamRequest } from '../upstream/upstream.ts'
import type { ChatError } from '../wire/errors.ts'
import type { FinishReason, Usage } from '../wire/events.ts'

/** One reply that a test writes by hand. @public */
export interface ScriptedReply {
  readonly request: UpstreamRequest
  /** Aborted when the gateway has hung up. */
  readonly signal: AbortSignal
  /** Sends events as one read of the socket; a string is a delta of text. */
  send(...events: (UpstreamEvent | string)[]): void
  /**
   * Sends the terminal evidence.
   * @param reason - Why the reply ends. Default: `'stop'`.
   * @param usage - What it cost. Default: none.
   */
  finish(reason?: FinishReason, usage?: Usage): void
  /** Ends the body without evidence. */
  end(): void
  /** Fails as a refused or broken connection does. */
  fail(error: ChatError | Error): void
  /** Settles when the gateway has left the reply, for whatever reason. */
  readonly left: Promise<void>
}

/** @public */
export interface ScriptedUpstream extends Upstream {
  /** Every reply asked for so far. */
  readonly replies: readonly ScriptedReply[]
  /** The next reply that is asked for and that nobody has taken yet. */
  next(): Promise<ScriptedReply>
  /** Replies that nobody has left yet. */
  readonly openReplies: number
}

/** @public */
export interface ScriptedUpstreamOptions {
  /** The model's name. @defaultValue 'scripted' */
  readonly model?: string | undefined
  /** Writes every reply by itself; without it, the test takes each one by `next()`. */
  readonly script?: ((reply: ScriptedReply) => void | Promise<void>) | undefined
}

/**
 * A model server that says what a test tells it to.
 * @public
 */
export function scriptedUpstream(options: ScriptedUpstreamOptions = {}): ScriptedUpstream {
  const { model = 'scripted', script } = options
  const replies: ScriptedReply[] = []
  const takers: ((reply: ScriptedReply) => void)[] = []
  let taken = 0
  let open = 0

  async function* generate(
    request: UpstreamRequest,
    signal: AbortSignal,
  ): AsyncGenerator<readonly UpstreamEvent[], void, undefined> {
    const queue: (readonly UpstreamEvent[] | 'end' | Error)[] = []
    let more = (): void => {}
    let leave = (): void => {}
    const put = (item: (typeof queue)[number]): void => {
      queue.push(item)
      more()
    }
    const reply: ScriptedReply = {
      request,
      signal,
      send: (...events) => put(events.map((event) => (typeof event === 'string' ? { message: event } : event))),
      finish: (reason = 'stop', usage) => put([{ finish: reason, ...(usage === undefined ? {} : { usage }) }]),
      end: () => put('end'),
      fail: (error) => put(error),
      left: new Promise((resolve) => (leave = resolve)),
    }
    signal.addEventListener('abort', () => more())
    open += 1
    try {
      replies.push(reply)
      takers.shift()?.(reply)
      void script?.(reply)
      for (;;) {
        if (signal.aborted) throw signal.reason
        const item = queue.shift()
        if (item === 'end') return
        if (item instanceof Error) throw item
        if (item) yield item
        else await new Promise<void>((resolve) => (more = resolve))
      }
    } finally {
      open -= 1
      leave()
    }
  }
  return {
    name: 'scripted',
    model,
    replies,
    get openReplies() {
      return open
    },
    next() {
      taken += 1
      const reply = replies[taken - 1]
      return reply ? Promise.resolve(reply) : new Promise((resolve) => takers.push(resolve))
    },
    open: (request, sink, signal) => pump(() => generate(request, signal), sink, signal),
    status: async () => ({ state: 'ready', version: 'scripted' }),
  }
}
