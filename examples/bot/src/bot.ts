import { createGateway } from '@midstream/core/gateway'
import { ollama } from '@midstream/core/upstream'
import { startNano } from '@midstream/example-nano'
import type { BotConfig } from './config.ts'
import { createChats } from './conversation/chats.ts'
import { languages } from './conversation/words.ts'
import { createDingtalkRoute } from './dingtalk/route.ts'
import type { PlatformRoute } from './platform.ts'
import { serve } from './serve.ts'
import { createWecomRoute } from './wecom/route.ts'

/** A robot at work. */
export interface Bot {
  readonly url: string
  /** The model, and who serves it. */
  readonly model: string
  readonly paths: readonly string[]
  /** Ends what is being answered, shows how far it came, and stops. */
  close(): Promise<void>
}

/** What the robot needs of its surroundings. */
export interface BotHooks {
  /** Told what could not be shown, in a sentence without secrets and without what anybody said. */
  readonly onProblem: (problem: string) => void
  /** How platforms are called. @defaultValue the platform's */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/**
 * Starts the robot: the model, the gateway in this process, and the server for the platforms' callbacks.
 * @throws {Error} When the port is taken.
 */
export async function startBot(config: BotConfig, { onProblem, fetch }: BotHooks): Promise<Bot> {
  // A server like any other, which only happens to live here: its inference has a thread of its own.
  const nano = config.upstream ? undefined : await startNano()
  const upstream = config.upstream ?? { url: nano!.url, model: 'nano' }
  const gateway = createGateway({ upstream: ollama(upstream) })
  const words = languages[config.language]
  const shared = { chats: createChats({ gateway, words }), words, onProblem, fetch }
  const routes: Record<string, PlatformRoute> = {}
  if (config.dingtalk) routes['/dingtalk'] = createDingtalkRoute({ ...config.dingtalk, ...shared })
  if (config.wecom) routes['/wecom'] = createWecomRoute({ ...config.wecom, ...shared })
  try {
    const served = await serve({ routes, port: config.port, host: config.host })
    return {
      url: served.url,
      model: nano ? 'the embedded model' : `${upstream.model} at ${upstream.url}`,
      paths: Object.keys(routes),
      async close() {
        await gateway.close()
        await served.close()
        await nano?.close()
      },
    }
  } catch (error) {
    await nano?.close()
    throw error
  }
}
