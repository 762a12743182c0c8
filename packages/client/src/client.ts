import { request } from './connection.ts'
import { createSession } from './session.ts'
import type { ChatClient, ChatClientOptions, ChatSession, GatewayStatus } from './types.ts'

/**
 * Creates a client of one gateway. It holds the conversations: whoever asks for the same name gets the same one, so a
 * view that goes and comes back finds its answer.
 * @throws {TypeError} When `url` is empty.
 * @public
 */
export function createChatClient(options: ChatClientOptions): ChatClient {
  if (!options.url) throw new TypeError('url is empty')
  const sessions = new Map<string, ChatSession>()
  return {
    session(name = '') {
      const session = sessions.get(name) ?? createSession(options, name)
      sessions.set(name, session)
      return session
    },
    async status(signal) {
      const response = await request(options, '', { signal })
      return (await response.json()) as GatewayStatus
    },
  }
}
