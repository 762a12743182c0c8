import { systemClock, type Clock } from '@midstream/core'
import { LRUCache } from 'lru-cache'
import { randomUUID } from 'node:crypto'
import { fixedAnswer, type Answer } from '../conversation/answer.ts'
import type { Chats } from '../conversation/chats.ts'
import { byteLength, cutBytes, splitPages } from '../conversation/pages.ts'
import type { Words } from '../conversation/words.ts'
import { parseObject, unauthorized, type BotReply, type BotRequest, type PlatformRoute } from '../platform.ts'
import { sendJson } from '../send-json.ts'
import { decryptWecom, encryptWecom, isSameSignature, readAesKey, signWecom } from './crypt.ts'
import { markdownBody, parseWecom, streamBody } from './message.ts'

/** The robot on WeCom. */
export interface WecomOptions {
  readonly token: string
  /** EncodingAESKey, 43 characters. */
  readonly aesKey: string
  /** What the robot is called in groups, to find its mention in what is said. @defaultValue the mention at an end of the text is taken for it */
  readonly robotName?: string | undefined
  /** The one origin that the end of a very long answer is posted to. @defaultValue 'https://qyapi.weixin.qq.com' */
  readonly responseOrigin?: string | undefined
  readonly chats: Chats
  readonly words: Words
  readonly onProblem: (problem: string) => void
  readonly fetch?: typeof globalThis.fetch | undefined
  readonly clock?: Clock | undefined
}

/** What is further from now is refused, ms. The documentation sets no limit; each refresh has a time of its own. */
const maxAgeMs = 600_000

/** Longest content of a reply, UTF-8 bytes. */
const maxBytes = 20_480

/** An answer that has got so long is ended, bytes: what comes until it stops, and the note, find room. */
const fullBytes = 18_000

/** The platform stops asking so long after the question, ms. */
const askedForMs = 360_000

/** An answer that has taken so long is ended, ms: while the platform still asks. */
const maxAnswerMs = 330_000

interface Stream {
  readonly id: string
  readonly answer: Answer
  readonly askedAt: number
  readonly responseUrl: string | undefined
  restIsSent: boolean
  /** Settled when the platform has been told the end. */
  readonly told: PromiseWithResolvers<void>
}

/**
 * Creates the answer to WeCom's callbacks. The platform drives: it asks how an answer stands, again and again, and is
 * answered at once with the newest text.
 * @throws {TypeError} When the key is none.
 */
export function createWecomRoute(options: WecomOptions): PlatformRoute {
  const { token, robotName, chats, words, onProblem, clock = systemClock, fetch = globalThis.fetch } = options
  const { responseOrigin = 'https://qyapi.weixin.qq.com' } = options
  const key = readAesKey(options.aesKey)
  const streams = new LRUCache<string, Stream>({ max: 2_000 })
  const asked = new LRUCache<string, string>({ max: 10_000 })
  const posting = new Set<Promise<void>>()

  /** @returns What was encrypted, when it is from WeCom, for this robot, and of now. */
  const open = (query: URLSearchParams, encrypted: unknown): string | undefined => {
    const timestamp = query.get('timestamp') ?? ''
    const nonce = query.get('nonce') ?? ''
    if (typeof encrypted !== 'string' || !/^\d{1,12}$/.test(timestamp)) return undefined
    const expected = signWecom(token, timestamp, nonce, encrypted)
    if (!isSameSignature(query.get('msg_signature') ?? '', expected)) return undefined
    if (Math.abs(clock.now() - Number(timestamp) * 1_000) > maxAgeMs) return undefined
    const decrypted = decryptWecom(key, encrypted)
    return decrypted?.receiveId === '' ? decrypted.text : undefined
  }

  /** @see https://developer.work.weixin.qq.com/document/path/101033 (加密与被动回复) */
  const seal = (query: URLSearchParams, body: object): BotReply => {
    const encrypt = encryptWecom(key, JSON.stringify(body))
    const timestamp = Math.floor(clock.now() / 1_000)
    const nonce = query.get('nonce') ?? ''
    const msgsignature = signWecom(token, String(timestamp), nonce, encrypt)
    const sealed = JSON.stringify({ encrypt, msgsignature, timestamp, nonce })
    return { status: 200, type: 'application/json', body: sealed }
  }

  const begin = (answer: Answer, responseUrl?: string): Stream => {
    const id = randomUUID()
    const stream = {
      id,
      answer,
      askedAt: clock.now(),
      responseUrl,
      restIsSent: false,
      told: Promise.withResolvers<void>(),
    }
    streams.set(id, stream)
    return stream
  }

  const progress = (stream: Stream): object => {
    const { id, answer, askedAt } = stream
    const isFull = byteLength(answer.now().text) > fullBytes || clock.now() - askedAt > maxAnswerMs
    if (isFull) answer.stop()
    const { text, isOver } = answer.now()
    const [first = '', ...rest] = splitPages(text, maxBytes)
    if (isOver) stream.told.resolve()
    if (isOver && rest.length > 0 && !stream.restIsSent) {
      stream.restIsSent = true
      const posted = postRest(stream, rest.join('')).finally(() => posting.delete(posted))
      posting.add(posted)
    }
    return streamBody(id, first, isOver)
  }

  /** What a model said in one breath may be more than a message holds. */
  const postRest = async ({ responseUrl }: Stream, rest: string): Promise<void> => {
    try {
      if (!responseUrl || new URL(responseUrl).origin !== responseOrigin) throw new Error('no address to post it to')
      const body = markdownBody(cutBytes(rest, maxBytes))
      const answered = await sendJson({ fetch, clock }, 'POST', responseUrl, body)
      if (!answered) throw new Error('WeCom cannot be reached')
      const { status, json } = answered
      if (status !== 200) throw new Error(`WeCom answered ${status}`)
      // A refusal is a success to HTTP.
      const code = Number(json?.['errcode'] ?? 0)
      if (code !== 0) throw new Error(`WeCom refused it with errcode ${code}`)
    } catch (error) {
      onProblem(`wecom: the end of an answer could not be shown: ${(error as Error).message}`)
    }
  }

  const answer = ({ method, url, body }: BotRequest): BotReply => {
    const { searchParams: query } = url
    if (method === 'GET') {
      // Base64 has no spaces: they are plus signs that nobody escaped.
      const echo = open(query, query.get('echostr')?.replaceAll(' ', '+'))
      return echo === undefined ? unauthorized : { status: 200, type: 'text/plain', body: echo }
    }
    if (method !== 'POST') return { status: 405 }
    const text = open(query, parseObject(body)?.['encrypt'])
    if (text === undefined) return unauthorized
    const message = parseWecom(text, robotName)
    if (!message) return { status: 400 }
    // An empty reply: there is nothing to say.
    if (message.kind === 'event') return { status: 200 }
    if (message.kind === 'refresh') {
      const stream = streams.get(message.streamId)
      return seal(query, stream ? progress(stream) : streamBody(message.streamId, words.expired, true))
    }
    const known = streams.get(asked.get(message.messageId) ?? '')
    if (known) return seal(query, progress(known))
    // Delivered again, so late that the answer is forgotten: it is not asked anew.
    if (asked.has(message.messageId)) return { status: 200 }
    const begun =
      message.text === null || message.text === ''
        ? begin(fixedAnswer(words.onlyText))
        : begin(chats.ask(message.chatId, message.text), message.responseUrl)
    asked.set(message.messageId, begun.id)
    return seal(query, progress(begun))
  }

  return Object.assign(async (request: BotRequest) => answer(request), {
    async shown() {
      const asking = [...streams.values()].filter(({ askedAt }) => clock.now() - askedAt < askedForMs)
      await Promise.all(asking.map(({ told }) => told.promise))
      await Promise.all(posting)
    },
  })
}
