import { asObject, asText, parseObject, type Question } from '../platform.ts'

/** A message to the robot, with what it takes to answer it. */
export interface DingtalkMessage extends Question {
  readonly conversationId: string
  readonly isGroup: boolean
  /** The person's id in the company; outsiders have none. */
  readonly staffId: string | undefined
  /** Where a plain answer can be posted, until it expires. */
  readonly webhook: { readonly url: string; readonly expiresAt: number } | undefined
}

/**
 * Reads the body of a callback.
 * @returns Undefined when it is none.
 * @see https://open.dingtalk.com/document/isvapp/receive-message (HTTP Body)
 */
export function parseDingtalk(body: string): DingtalkMessage | undefined {
  const message = parseObject(body)
  const conversationId = asText(message?.['conversationId'])
  const messageId = asText(message?.['msgId'])
  if (!message || conversationId === undefined || messageId === undefined) return undefined
  const isGroup = message['conversationType'] === '2'
  const content = message['msgtype'] === 'text' ? asText(asObject(message['text'])?.['content']) : undefined
  const url = asText(message['sessionWebhook'])
  const expiresAt = Number(message['sessionWebhookExpiredTime'])
  return {
    chatId: `dingtalk:${conversationId}`,
    messageId,
    // The mention of the robot is taken out by the platform; what is left of it is a space.
    text: content?.trim() ?? null,
    conversationId,
    isGroup,
    staffId: asText(message['senderStaffId']),
    webhook: url === undefined || !(expiresAt > 0) ? undefined : { url, expiresAt },
  }
}
