import type { Clock } from '@midstream/core'
import { randomUUID } from 'node:crypto'
import type { Answer } from '../conversation/answer.ts'
import { splitPages } from '../conversation/pages.ts'
import { DingtalkError, wait, type DingtalkApi } from './api.ts'
import { createCardBody, markdownBody, updateCardBody, type CardTemplate, type CardUpdate } from './card.ts'
import type { DingtalkMessage } from './message.ts'

/** How answers are shown. */
export interface ShowOptions {
  readonly api: DingtalkApi
  readonly clock: Clock
  /** Without one there are no cards, and an answer is posted when it is over. */
  readonly template: CardTemplate | undefined
  /** Shortest time between two updates of one card, ms. */
  readonly updateMs: number
  /** Most of a text in one card, UTF-8 bytes; a longer one goes on in the next. */
  readonly cardBytes: number
  /** Title of a posted answer in the list of chats. */
  readonly title: string
}

/** An answer of more cards is ended; the person can let it go on. */
const maxCards = 6

/** Failures in a row after which a card is given up. */
const maxFailures = 6

/** Longest posted message, UTF-8 bytes. */
const postBytes = 12_000

/**
 * Shows an answer until it is over. Every step takes the newest text and waits for the one before it: updates are in
 * order, never two at a time, and the last one is always sent.
 * @throws {DingtalkError} When the end of it could not be shown.
 */
export async function showAnswer(answer: Answer, to: DingtalkMessage, options: ShowOptions): Promise<void> {
  const { api, clock, template, updateMs, cardBytes } = options
  let page = 0
  let card = newCard()
  let failures = 0

  const step = async (cards: CardTemplate, text: string, isLast: boolean): Promise<void> => {
    if (!card.isMade) {
      const body = createCardBody(cards, to, card.outTrackId)
      if (!body) throw new DingtalkError('there is no place for a card', false)
      await api.call('POST', '/v1.0/card/instances/createAndDeliver', body)
      card.isMade = true
    }
    if (text === card.shown && !isLast) return
    // What is sent again keeps its guid: the first time it may have arrived.
    if (card.update?.text !== text || card.update.isLast !== isLast) card.update = { guid: randomUUID(), text, isLast }
    const { outTrackId } = card
    await api.call('PUT', '/v1.0/card/streaming', updateCardBody(cards, { outTrackId, ...card.update }))
    card.shown = text
  }

  while (template) {
    const { text, isOver } = answer.now()
    const pages = splitPages(text, cardBytes)
    if (pages.length >= maxCards) answer.stop()
    const hasNext = page < pages.length - 1
    try {
      await step(template, pages[page] ?? '', hasNext || isOver)
      failures = 0
    } catch (error) {
      failures += 1
      const isHopeless = !(error instanceof DingtalkError) || !error.retryable
      if (isHopeless || failures > maxFailures) break
      await wait(clock, 1_000 * 2 ** Math.min(failures - 1, 4))
      continue
    }
    const freeAt = clock.now() + updateMs
    if (hasNext) {
      page += 1
      card = newCard()
    } else if (isOver) return
    // Something may have come while this was sent.
    else if (answer.now().text === text) await answer.changed()
    await wait(clock, freeAt - clock.now())
  }

  while (!answer.now().isOver) await answer.changed()
  await postAnswer(splitPages(answer.now().text, cardBytes).slice(page).join(''), to, options)
}

async function postAnswer(text: string, to: DingtalkMessage, { api, clock, title }: ShowOptions): Promise<void> {
  const { webhook } = to
  if (!webhook || webhook.expiresAt <= clock.now()) throw new DingtalkError('there is no way to answer', false)
  for (const part of splitPages(text, postBytes)) {
    for (let failures = 0; ;) {
      try {
        await api.post(webhook.url, markdownBody(title, part))
        break
      } catch (error) {
        failures += 1
        if (!(error instanceof DingtalkError) || !error.retryable || failures > 3) throw error
        await wait(clock, 1_000 * failures)
      }
    }
  }
}

interface Card {
  readonly outTrackId: string
  isMade: boolean
  shown: string
  /** The last update that was tried. */
  update: Pick<CardUpdate, 'guid' | 'text' | 'isLast'> | undefined
}

function newCard(): Card {
  return { outTrackId: randomUUID(), isMade: false, shown: '', update: undefined }
}
