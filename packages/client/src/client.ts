import { systemClock } from '@midstream/core'
import type { ChatClient, GatewayStatus } from './chat-client.ts'
import { requestJson } from './connection/request.ts'
import { disposeKey } from './dispose.ts'
import type { ChatClientOptions } from './options.ts'
import { createLifetimes } from './session/lifetimes.ts'
import { createLimits } from './session/limits.ts'
import { createSession } from './session/session.ts'

/**
 * Creates a client of one gateway. It holds the conversations: whoever asks for the same name gets the same one, so a
 * view that goes and comes back finds its answer. A named one that nobody shows is let go of after `gcMs`, which says what is kept.
 * @throws {TypeError | RangeError} When `url` is empty, or another option makes no sense.
 * @public
 */
export function createChatClient(options: ChatClientOptions): ChatClient {
  if (!options.url) throw new TypeError('url is empty')
  const { clock = systemClock, gcMs = 300_000 } = options
  if (!(gcMs >= 0)) throw new RangeError(`gcMs must be 0 or more, got ${gcMs}`)
  const limits = createLimits(options, clock)
  const lifetimes = createLifetimes(clock, gcMs)
  const client: ChatClient = {
    session: (name = '') => lifetimes.get(name, (host) => createSession(options, name, { ...host, limits })),
    async status(signal) {
      const status = await requestJson<GatewayStatus>(options, '', { signal })
      limits.told(status.limits)
      return status
    },
    close: lifetimes.close,
    [disposeKey]: () => client.close(),
  }
  return client
}
