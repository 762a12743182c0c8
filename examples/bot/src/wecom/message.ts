import { asObject, asText, parseObject, withoutMention, type Question } from '../platform.ts'

/** What a callback is about: a question, or word that the platform wants to know how an answer stands. */
export type WecomMessage =
  | ({ readonly kind: 'question'; readonly responseUrl: string | undefined } & Question)
  | { readonly kind: 'refresh'; readonly streamId: string }
  /** Somebody opened the chat, pressed a button: nothing to say. */
  | { readonly kind: 'event' }

/**
 * Reads a decrypted callback of an AI robot (智能机器人).
 * @param robotName - What the robot is called in groups, if it is known.
 * @returns Undefined when it is none.
 * @see https://developer.work.weixin.qq.com/document/path/100719
 */
export function parseWecom(text: string, robotName?: string): WecomMessage | undefined {
  const message = parseObject(text)
  const kind = asText(message?.['msgtype'])
  if (!message || kind === undefined) return undefined
  if (kind === 'event') return { kind }
  if (kind === 'stream') {
    const streamId = asText(asObject(message['stream'])?.['id'])
    return streamId === undefined ? undefined : { kind: 'refresh', streamId }
  }
  const messageId = asText(message['msgid'])
  const group = asText(message['chatid'])
  const userId = asText(asObject(message['from'])?.['userid'])
  if (messageId === undefined || (group ?? userId) === undefined) return undefined
  const said = textOf(kind, message)
  return {
    kind: 'question',
    // Only a group has an id.
    chatId: group === undefined ? `wecom:${String(message['aibotid'])}:${userId}` : `wecom:${group}`,
    messageId,
    text: said === undefined ? null : group === undefined ? said.trim() : withoutMention(said, robotName),
    responseUrl: asText(message['response_url']),
  }
}

/** The words of a message; speech comes as text. */
function textOf(kind: string, message: Readonly<Record<string, unknown>>): string | undefined {
  const content = (of: unknown): string | undefined => asText(asObject(of)?.['content'])
  if (kind === 'text' || kind === 'voice') return content(message[kind])
  const items = asObject(message['mixed'])?.['msg_item']
  if (kind !== 'mixed' || !Array.isArray(items)) return undefined
  const texts = items.flatMap((item) => content(asObject(item)?.['text']) ?? [])
  return texts.length === 0 ? undefined : texts.join('\n')
}

/**
 * An answer as it stands. The platform asks again until it is over.
 * @see https://developer.work.weixin.qq.com/document/path/101031 (流式消息回复)
 */
export function streamBody(id: string, content: string, finish: boolean): object {
  return { msgtype: 'stream', stream: { id, finish, content } }
}

/**
 * A message of its own, once, by the address that came with the question.
 * @see https://developer.work.weixin.qq.com/document/path/101138
 */
export function markdownBody(content: string): object {
  return { msgtype: 'markdown', markdown: { content } }
}
