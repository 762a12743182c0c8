import { systemClock, type Clock } from '@midstream/core'
import { LRUCache } from 'lru-cache'
import { fixedAnswer } from '../conversation/answer.ts'
import type { Chats } from '../conversation/chats.ts'
import type { Words } from '../conversation/words.ts'
import { unauthorized, type PlatformRoute } from '../platform.ts'
import { createDingtalkApi } from './api.ts'
import { parseDingtalk } from './message.ts'
import { showAnswer, type ShowOptions } from './show.ts'
import { isFromDingtalk } from './signature.ts'

/** The robot on DingTalk. */
export interface DingtalkOptions {
  /** Client ID of the app, its AppKey of old. */
  readonly clientId: string
  readonly clientSecret: string
  /** @defaultValue the client's id, as for robots of a company's own */
  readonly robotCode?: string | undefined
  /** Id of an AI card template. Without it answers are posted as messages, when they are over. */
  readonly cardTemplateId?: string | undefined
  /** Name of the template's streaming variable. @defaultValue 'content' */
  readonly cardKey?: string | undefined
  /** Shortest time between two updates of one card, ms. @defaultValue 1000 */
  readonly updateMs?: number | undefined
  /** Most of a text in one card, UTF-8 bytes: the documentation advises against more. @defaultValue 3000 */
  readonly cardBytes?: number | undefined
  readonly apiUrl?: string | undefined
  readonly webhookOrigin?: string | undefined
  readonly chats: Chats
  readonly words: Words
  /** Told, in a sentence without secrets and without what anybody said, what could not be shown. */
  readonly onProblem: (problem: string) => void
  readonly fetch?: typeof globalThis.fetch | undefined
  readonly clock?: Clock | undefined
}

/** Creates the answer to DingTalk's callbacks (message reception in HTTP mode). */
export function createDingtalkRoute(options: DingtalkOptions): PlatformRoute {
  const { clientId, clientSecret, robotCode = clientId, cardTemplateId, cardKey = 'content' } = options
  const { updateMs = 1_000, cardBytes = 3_000, chats, words, onProblem, clock = systemClock } = options
  const { apiUrl, webhookOrigin, fetch = globalThis.fetch } = options
  const show: ShowOptions = {
    api: createDingtalkApi({ clientId, clientSecret, apiUrl, webhookOrigin, fetch, clock }),
    clock,
    template: cardTemplateId === undefined ? undefined : { templateId: cardTemplateId, key: cardKey, robotCode },
    updateMs,
    cardBytes,
    title: words.title,
  }
  const seen = new LRUCache<string, true>({ max: 10_000 })
  const showing = new Set<Promise<void>>()

  return Object.assign(
    async ({ method, header, body }: Parameters<PlatformRoute>[0]) => {
      if (method !== 'POST') return { status: 405 }
      if (!isFromDingtalk(header('timestamp'), header('sign'), clientSecret, clock.now())) return unauthorized
      const message = parseDingtalk(body)
      if (!message) return { status: 400 }
      // The answer goes another way: to be delivered again, while it runs, must change nothing.
      const accepted = { status: 200, type: 'application/json', body: '{}' } as const
      if (seen.has(message.messageId)) return accepted
      seen.set(message.messageId, true)
      if (message.text === '') return accepted
      const answer = message.text === null ? fixedAnswer(words.onlyText) : chats.ask(message.chatId, message.text)
      const shown = showAnswer(answer, message, show)
        .catch((error: unknown) => onProblem(`dingtalk: ${error instanceof Error ? error.message : 'unknown'}`))
        .finally(() => showing.delete(shown))
      showing.add(shown)
      return accepted
    },
    { shown: () => Promise.all(showing).then(() => undefined) },
  )
}
