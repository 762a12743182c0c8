import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, manualClock, scriptedUpstream } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { streamChat } from '../src/stream-chat.ts'
import { turn } from './support.ts'

/** Whenever somebody gives up, or cuts in, between two steps of a request, nothing hangs, and no timer and no run is left. */

interface Steps {
  /** Counts a step, and calls `act` in the one that was asked for. */
  step(): void
  readonly count: number
}
function steps(at: number, act: () => void): Steps {
  let count = 0
  return {
    step() {
      count += 1
      if (count === at) act()
    },
    get count() {
      return count
    },
  }
}

function world(steps: Steps) {
  const clock = manualClock()
  const upstream = scriptedUpstream({
    async script(reply) {
      for (const delta of ['Once', ' upon', ' a time']) {
        reply.send(delta)
        // oxlint-disable-next-line no-await-in-loop -- each is a read of its own
        await turn()
        steps.step()
      }
      reply.finish()
    },
  })
  const gateway = gatewayFetch(createGateway({ upstream, clock, coalesce: { windowMs: 0 }, orphanMs: 0 }))
  const options = {
    url: '/api/chat',
    clock,
    async headers() {
      steps.step()
      await turn()
      steps.step()
      return {}
    },
    fetch: async (...args: Parameters<typeof globalThis.fetch>) => {
      steps.step()
      await turn()
      const response = await gateway(...args)
      steps.step()
      await turn()
      return response
    },
  }
  return { clock, upstream, options }
}
const isOver = async ({ clock, upstream }: ReturnType<typeof world>): Promise<void> => {
  for (let i = 0; i < 6; i++) {
    // oxlint-disable-next-line no-await-in-loop -- what was begun ends in a few turns
    await turn()
    clock.advance(500)
  }
  expect(upstream.openReplies).toBe(0)
}

test('abort: streamChat throws the reason wherever it is aborted, and leaves nothing', async () => {
  for (let at = 1; ; at++) {
    const controller = new AbortController()
    const counter = steps(at, () => controller.abort(new Error('enough')))
    const all = world(counter)
    const reading = (async () => {
      const options = { ...all.options, signal: controller.signal }
      for await (const event of streamChat({ ...options, messages: [{ role: 'user', content: 'Hi' }] })) {
        if ('message' in event) counter.step()
      }
    })()
    if (counter.count < at) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const error = await reading.catch((cause: unknown) => cause)
      if (counter.count < at) break
      if (error !== undefined) expect(error).toMatchObject({ message: 'enough' })
    } else await expect(reading).rejects.toThrow('enough')
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await isOver(all)
  }
})

for (const act of ['interrupt', 'clear', 'close', 'send'] as const) {
  test(`abort: ${act} at any step of a message settles it, and leaves no run but its own`, async () => {
    for (let at = 2; ; at++) {
      let second: Promise<unknown> | void | undefined
      const counter = steps(at, () => {
        second = act === 'send' ? session.send('More') : session[act]()
      })
      const all = world(counter)
      const session = createChatClient(all.options).session()
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const first = await session.send('Hi')
      if (counter.count < at) break
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await second
      expect(first!.state).not.toBe('streaming')
      if (act === 'send') {
        expect(session.getSnapshot().messages.at(-1)).toMatchObject({ content: 'Once upon a time', state: 'done' })
      }
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await isOver(all)
      session.close()
    }
  })
}
