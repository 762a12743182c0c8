import type { DingtalkMessage } from './message.ts'

/** Which card template answers are shown in. */
export interface CardTemplate {
  readonly templateId: string
  /** Name of the template's streaming variable. */
  readonly key: string
  readonly robotCode: string
}

/**
 * The request that puts an empty card into a conversation.
 * @returns Undefined when the platform has no place for one: a person who is not of the company.
 * @see https://open.dingtalk.com/document/development/create-and-deliver-cards
 */
export function createCardBody(template: CardTemplate, to: DingtalkMessage, outTrackId: string): object | undefined {
  const { templateId, key, robotCode } = template
  const card = {
    cardTemplateId: templateId,
    outTrackId,
    // The template's values are texts alone.
    cardData: { cardParamMap: { [key]: '' } },
    userIdType: 1,
  }
  if (to.isGroup) {
    return {
      ...card,
      openSpaceId: `dtv1.card//IM_GROUP.${to.conversationId}`,
      imGroupOpenSpaceModel: { supportForward: true },
      imGroupOpenDeliverModel: { robotCode },
    }
  }
  if (to.staffId === undefined) return undefined
  return {
    ...card,
    openSpaceId: `dtv1.card//IM_ROBOT.${to.staffId}`,
    imRobotOpenSpaceModel: { supportForward: true },
    imRobotOpenDeliverModel: { spaceType: 'IM_ROBOT', robotCode },
  }
}

/** One step of a card. */
export interface CardUpdate {
  readonly outTrackId: string
  /** The platform does nothing twice for one guid. */
  readonly guid: string
  readonly text: string
  readonly isLast: boolean
}

/**
 * The request that shows a text in a card, all of it anew: for Markdown the platform takes nothing less.
 * @see https://open.dingtalk.com/document/development/api-streamingupdate
 */
export function updateCardBody({ key }: CardTemplate, { outTrackId, guid, text, isLast }: CardUpdate): object {
  return { outTrackId, guid, key, content: text, isFull: true, isFinalize: isLast, isError: false }
}

/**
 * A message of its own, for conversations without cards.
 * @see https://open.dingtalk.com/document/dingstart/robot-reply-and-send-messages (sessionWebhook)
 */
export function markdownBody(title: string, text: string): object {
  return { msgtype: 'markdown', markdown: { title, text } }
}
