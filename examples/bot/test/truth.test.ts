import { seededRandom } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import { streamingPath } from '../src/demo/dingtalk-stand-in.ts'
import type { WecomStream } from '../src/demo/wecom-stand-in.ts'
import { dingtalk, wecom, world, type World } from './support.ts'

/** Every reply that the model was told of, as each request told it. */
function repliesTold(own: World): readonly (readonly string[])[] {
  return own.upstream.replies.map(({ request }) =>
    request.messages.filter(({ role }) => role === 'assistant').map(({ content }) => content),
  )
}

const withoutNote = (shown: string): string => shown.replace(/(^|\n\n)\([^)]*\)$/, '')

/** What was shown of nothing is not told: an empty message is none. */
const told = (shown: readonly string[]): string[] => shown.map(withoutNote).filter((text) => text !== '')

test.for(Array.from({ length: 30 }, (_, seed) => seed))(
  'dingtalk: whenever people cut in and whatever the platform refuses, cards and model agree (seed %i)',
  async (seed) => {
    const random = seededRandom(seed)
    const own = world()
    const { say, platform } = dingtalk(own)
    for (let i = 0; i < 6; i++) {
      if (random.below(10) < 3) platform.fail(streamingPath, 429, 'TooManyRequests')
      await say(`question ${i}`)
      const reply = await own.upstream.next()
      for (let n = random.below(8); n > 0; n--) {
        reply.send(`${i}.${n} `)
        await own.advance(random.below(700))
      }
      if (random.below(10) < 3) {
        reply.finish()
        await own.advance(random.below(300))
      }
    }
    await say('stop')
    await own.advance(60_000)
    const shown = platform.cards.map(({ texts }) => texts.at(-1)!).filter((text) => !/All right|Nothing is/.test(text))
    expect(shown).toHaveLength(6)
    repliesTold(own).forEach((replies, i) => expect(replies).toEqual(told(shown.slice(0, i))))
    expect(platform.cards.every(({ isFinished }) => isFinished)).toBe(true)
    expect(own.upstream.openReplies).toBe(0)
    expect(own.clock.timers).toBe(0)
  },
)

test.for(Array.from({ length: 30 }, (_, seed) => seed))(
  'wecom: whenever people cut in and however often it asks, messages and model agree (seed %i)',
  async (seed) => {
    const random = seededRandom(seed)
    const own = world()
    const { say, refresh } = wecom(own)
    const streams: WecomStream[] = []
    for (let i = 0; i < 6; i++) {
      const stream = await say(`question ${i}`)
      streams.push(stream)
      const reply = await own.upstream.next()
      for (let n = random.below(8); n > 0; n--) {
        reply.send(`${i}.${n} `)
        await own.advance(random.below(300))
        if (random.below(2) === 0) await refresh(stream)
      }
      if (random.below(10) < 3) {
        reply.finish()
        await own.advance(random.below(300))
      }
    }
    await say('stop')
    await own.advance(1_000)
    const shown: string[] = []
    for (const stream of streams) {
      const { finish, content } = await refresh(stream)
      expect(finish).toBe(true)
      shown.push(content)
    }
    repliesTold(own).forEach((replies, i) => expect(replies).toEqual(told(shown.slice(0, i))))
    expect(own.upstream.openReplies).toBe(0)
  },
)
