import { ChatError } from '@midstream/core'
import { expect, test } from 'vitest'
import { byteLength } from '../src/conversation/pages.ts'
import { standInWebhook, streamingPath } from '../src/demo/dingtalk-stand-in.ts'
import { signDingtalk } from '../src/dingtalk/signature.ts'
import { app, dingtalk, world } from './support.ts'

const createPath = '/v1.0/card/instances/createAndDeliver'

test('dingtalk: an answer grows in one card, once a second at most, and its end always arrives', async () => {
  const own = world()
  const { say, platform, updates } = dingtalk(own)
  expect(await say('How are you?')).toEqual({ status: 200, type: 'application/json', body: '{}' })
  const reply = await own.upstream.next()
  expect(own.told()).toEqual([{ role: 'user', content: 'How are you?' }])
  let said = ''
  for (let i = 0; i < 50; i++) {
    reply.send(`word${i} `)
    said += `word${i} `
    await own.advance(100)
  }
  reply.finish()
  await own.advance(2_000)

  const [card] = platform.cards
  expect(platform.cards).toHaveLength(1)
  expect(card?.openSpaceId).toBe('dtv1.card//IM_GROUP.cidStandIn==')
  expect(card?.isFinished).toBe(true)
  expect(card?.texts.at(-1)).toBe(said)
  const times = updates()
  expect(times.length).toBeGreaterThanOrEqual(5)
  expect(times.length).toBeLessThanOrEqual(8)
  times.slice(1).forEach((at, i) => expect(at - times[i]!).toBeGreaterThanOrEqual(1_000))
  card?.texts.slice(1).forEach((text, i) => expect(text.startsWith(card.texts[i]!)).toBe(true))
  expect(own.problems).toEqual([])
  expect(own.clock.timers).toBe(0)
})

test('dingtalk: a new question stops the running card, and the model is told just what that card shows', async () => {
  const own = world()
  const { say, platform } = dingtalk(own)
  await say('Tell a story')
  const first = await own.upstream.next()
  first.send('Once upon a time, ')
  await own.advance(1_500)
  first.send('there was a cat')
  await own.advance(150)
  await say('Shorter, please')
  const second = await own.upstream.next()
  await first.left
  second.send('A cat was.')
  second.finish()
  await own.advance(3_000)

  const shown = platform.cards.map(({ texts }) => texts.at(-1))
  expect(shown).toEqual(['Once upon a time, there was a cat\n\n(stopped)', 'A cat was.'])
  expect(platform.cards.every(({ isFinished }) => isFinished)).toBe(true)
  expect(own.told()).toEqual([
    { role: 'user', content: 'Tell a story' },
    { role: 'assistant', content: 'Once upon a time, there was a cat', interrupted: true },
    { role: 'user', content: 'Shorter, please' },
  ])
})

test('dingtalk: a model that fails is a plain sentence under what it had said, and continue goes on from there', async () => {
  const own = world()
  const { say, platform } = dingtalk(own)
  await say('Tell a story')
  const first = await own.upstream.next()
  first.send('Once upon a')
  await own.advance(200)
  first.fail(new ChatError('upstream_unreachable', 'connect ECONNREFUSED 10.0.0.7:11434'))
  await own.advance(3_000)
  expect(platform.cards[0]?.texts.at(-1)).toBe(
    'Once upon a\n\n(Something went wrong: the model server cannot be reached. This is what came before; say "continue" to go on.)',
  )
  await say('continue')
  const second = await own.upstream.next()
  second.send(' time.')
  second.finish()
  await own.advance(3_000)
  expect(platform.cards[1]?.texts.at(-1)).toBe(' time.')
  expect(platform.cards[1]?.isFinished).toBe(true)
})

test('dingtalk: a message that is delivered twice is answered once', async () => {
  const own = world()
  const { deliver, platform } = dingtalk(own)
  const callback = platform.say('Hello')
  expect((await deliver(callback)).status).toBe(200)
  const reply = await own.upstream.next()
  reply.send('Hi')
  await own.advance(200)
  expect((await deliver(callback)).status).toBe(200)
  reply.finish()
  await own.advance(2_000)
  expect(own.upstream.replies).toHaveLength(1)
  expect(platform.cards.map(({ texts }) => texts.at(-1))).toEqual(['Hi'])
})

test('dingtalk: a message that comes again after 9 999 others is still known', async () => {
  const own = world()
  const { deliver, say, platform } = dingtalk(own)
  const callback = platform.say('Hello')
  await deliver(callback)
  for (let i = 0; i < 9_999; i++) await say('')
  await deliver(callback)
  await own.advance(0)
  expect(own.upstream.replies).toHaveLength(1)
})

test.for([
  ['a wrong signature', { sign: 'AAAA' }],
  ['no signature', { sign: '' }],
  ['a signature of the day before', old(Date.UTC(2025, 11, 31))],
] as const)('dingtalk: %s is 401, and says nothing more', async ([, headers]) => {
  const own = world()
  const { deliver, platform } = dingtalk(own)
  const callback = platform.say('Hello')
  expect(await deliver({ ...callback, headers: { ...callback.headers, ...headers } })).toEqual({ status: 401 })
  expect(own.upstream.replies).toHaveLength(0)
})

function old(at: number): Record<string, string> {
  return { timestamp: String(at), sign: signDingtalk(String(at), app.clientSecret) }
}

test('dingtalk: however slow the platform is, one card has one update on its way', async () => {
  const own = world()
  const under = new Map<unknown, number>()
  let most = 0
  const slow: typeof fetch = async (input, init) => {
    const { outTrackId } = (await new Request(input, init).json()) as { outTrackId?: string }
    under.set(outTrackId, (under.get(outTrackId) ?? 0) + 1)
    most = Math.max(most, under.get(outTrackId)!)
    await new Promise<void>((resolve) => void own.clock.after(2_500, resolve))
    const response = await platform.fetch(input, init)
    under.set(outTrackId, under.get(outTrackId)! - 1)
    return response
  }
  const { say, platform } = dingtalk(own, { fetch: (input, init) => slow(input, init) })
  await say('Hello')
  const reply = await own.upstream.next()
  for (let i = 0; i < 40; i++) {
    reply.send(`${i} `)
    await own.advance(200)
  }
  reply.finish()
  await own.advance(10_000)
  expect(most).toBe(1)
  const texts = platform.cards[0]!.texts
  expect(texts.at(-1)).toMatch(/^0 1 .* 39 $/)
  expect(texts.length).toBeLessThanOrEqual(4)
})

test('dingtalk: an update whose reply was lost is sent again under its guid, and shown once', async () => {
  const own = world()
  const lost = new Set<string>()
  const { say, platform } = dingtalk(own, {
    async fetch(input, init) {
      const { content, isFinalize } = (await new Request(input, init).json()) as Record<string, unknown>
      const update = JSON.stringify([content, isFinalize])
      const response = await platform.fetch(input, init)
      if (content === undefined || lost.has(update)) return response
      lost.add(update)
      throw new TypeError('fetch failed')
    },
  })
  await say('Hello')
  const reply = await own.upstream.next()
  reply.send('one ')
  await own.advance(4_000)
  reply.send('two')
  reply.finish()
  await own.advance(10_000)
  expect([...lost]).toContain('["one two",true]')
  expect(platform.cards).toHaveLength(1)
  expect(platform.cards[0]?.isFinished).toBe(true)
  expect(platform.cards[0]?.texts.filter((text) => text === 'one ')).toHaveLength(1)
  expect(platform.posted).toEqual([])
  expect(own.problems).toEqual([])
})

test('dingtalk: a body that is no message is 400', async () => {
  const { deliver, platform } = dingtalk(world())
  const { headers } = platform.say('Hello')
  for (const body of ['', 'null', '[]', '{}', '{"msgId":"1"}', 'not json']) {
    expect(await deliver({ headers, body })).toEqual({ status: 400 })
  }
})

test.for([
  ['too many calls in a second', 403, 'Forbidden.AccessDenied.QpsLimitForAppkeyAndApi'],
  ['429', 429, 'TooManyRequests'],
  ['a server error', 503, 'ServiceUnavailable'],
] as const)('dingtalk: after %s it waits and goes on with the newest text', async ([, status, code]) => {
  const own = world()
  const { say, platform, updates } = dingtalk(own)
  platform.fail(streamingPath, status, code, 2)
  await say('Hello')
  const reply = await own.upstream.next()
  reply.send('one ')
  await own.advance(1_500)
  reply.send('two')
  reply.finish()
  await own.advance(5_000)
  expect(platform.cards[0]).toMatchObject({ texts: ['one two'], isFinished: true })
  // The first try and two waits: 1 s, then 2 s.
  expect(updates()[0]).toBeGreaterThanOrEqual(3_000)
  expect(own.problems).toEqual([])
})

test('dingtalk: when the calls of the month are used up the answer is posted, whole', async () => {
  const own = world()
  const { say, platform } = dingtalk(own)
  platform.fail(createPath, 403, 'Forbidden.AccessDenied.ApiCountLimitForOrg')
  await say('Hello')
  const reply = await own.upstream.next()
  reply.send('one ')
  await own.advance(3_000)
  reply.send('two')
  reply.finish()
  await own.advance(1_000)
  expect(platform.cards).toEqual([])
  expect(platform.posted).toEqual(['one two'])
})

test('dingtalk: an answer that can be shown nowhere is reported, without what was said and without secrets', async () => {
  const own = world()
  const { say, platform } = dingtalk(own)
  platform.fail(createPath, 400, 'param.cardTemplateIdInvalid')
  await say('my password is 1234', { sessionWebhook: 'http://169.254.169.254/steal' })
  const reply = await own.upstream.next()
  reply.send('yes, 1234')
  reply.finish()
  await own.advance(1_000)
  expect(own.problems).toEqual(['dingtalk: the webhook is not an address of DingTalk'])
  expect(platform.posted).toEqual([])
})

test('dingtalk: a webhook that has expired is not used', async () => {
  const own = world()
  const { say, platform } = dingtalk(own, { cardTemplateId: undefined })
  await say('Hello', { sessionWebhookExpiredTime: own.clock.now() - 1 })
  const reply = await own.upstream.next()
  reply.finish()
  await own.advance(1_000)
  expect(platform.posted).toEqual([])
  expect(own.problems).toEqual(['dingtalk: there is no way to answer'])
})

test('dingtalk: without a template answers are posted to the session, and a new question still cuts in', async () => {
  const own = world()
  const { say, platform } = dingtalk(own, { cardTemplateId: undefined })
  await say('Tell a story', { sessionWebhook: standInWebhook })
  const first = await own.upstream.next()
  first.send('Once upon')
  await own.advance(500)
  await say('Shorter')
  const second = await own.upstream.next()
  second.send('A cat.')
  second.finish()
  await own.advance(500)
  expect(platform.posted).toEqual(['Once upon\n\n(stopped)', 'A cat.'])
})

test('dingtalk: a long answer goes on in the next card, whole and in order', async () => {
  const own = world()
  const { say, platform } = dingtalk(own, { cardBytes: 500 })
  await say('Everything')
  const reply = await own.upstream.next()
  const said = Array.from({ length: 60 }, (_, i) => `第${i}句话，说一些事情。`).join('')
  for (let at = 0; at < said.length; at += 20) {
    reply.send(said.slice(at, at + 20))
    await own.advance(200)
  }
  reply.finish()
  await own.advance(5_000)
  const shown = platform.cards.map(({ texts }) => texts.at(-1)!)
  expect(shown.length).toBeGreaterThan(2)
  expect(shown.join('')).toBe(said)
  shown.forEach((text) => expect(byteLength(text)).toBeLessThanOrEqual(500))
  expect(platform.cards.every(({ isFinished }) => isFinished)).toBe(true)
})

test('dingtalk: an answer that fills six cards is ended, and all that was said is shown', async () => {
  const own = world()
  const { say, platform } = dingtalk(own, { cardBytes: 500 })
  await say('Everything')
  const reply = await own.upstream.next()
  for (let i = 0; i < 40; i++) {
    reply.send(`${'x'.repeat(99)}\n`)
    await own.advance(500)
  }
  await reply.left
  await own.advance(10_000)
  const shown = platform.cards.map(({ texts }) => texts.at(-1)!).join('')
  expect(shown).toMatch(/\n\(too long for one message: say "continue" to go on\)$/)
  await say('And now?')
  await own.upstream.next()
  expect(shown.startsWith(own.told()[1]!.content)).toBe(true)
  expect(shown.slice(own.told()[1]!.content.length)).toBe('\n\n(too long for one message: say "continue" to go on)')
})

test('dingtalk: the token is fetched once, and again when it is refused or old', async () => {
  const own = world()
  const { say, platform } = dingtalk(own)
  const tokens = (): number => platform.calls.filter(({ path }) => path.endsWith('accessToken')).length
  const ask = async (): Promise<void> => {
    await say('Hello')
    const reply = await own.upstream.next()
    reply.send('Hi')
    reply.finish()
    await own.advance(3_000)
  }
  await ask()
  await ask()
  expect(tokens()).toBe(1)
  platform.fail(createPath, 401, 'InvalidAuthentication')
  await ask()
  expect(tokens()).toBe(2)
  await own.advance(7_000_000)
  await ask()
  expect(tokens()).toBe(3)
  expect(platform.cards.map(({ texts }) => texts.at(-1))).toEqual(['Hi', 'Hi', 'Hi', 'Hi'])
})

test.for([
  ['is missing', {}],
  ['is no number', { expireIn: 'soon' }],
] as const)('dingtalk: a token whose time %s is kept for the documented two hours', async ([, time]) => {
  const own = world()
  let tokens = 0
  const { say, platform } = dingtalk(own, {
    async fetch(input, init) {
      const response = await platform.fetch(input, init)
      const { accessToken, ...rest } = (await response.json()) as Record<string, unknown>
      if (accessToken === undefined) return Response.json(rest, response)
      tokens += 1
      return Response.json({ accessToken, ...time })
    },
  })
  for (const [ms, expected] of [
    [3_000, 1],
    [6_900_000, 1],
    [200_000, 1],
    [3_000, 2],
  ] as const) {
    await say('', { msgtype: 'picture' })
    await own.advance(ms)
    expect(tokens).toBe(expected)
  }
  expect(platform.cards).toHaveLength(4)
})

test('dingtalk: fifty groups at once make fifteen calls a second, and never more', async () => {
  const own = world()
  const { say, platform } = dingtalk(own)
  for (let i = 0; i < 50; i++) {
    await say('Hello', { conversationId: `cid${i}` })
    const reply = await own.upstream.next()
    reply.send(`Hi ${i}`)
    reply.finish()
  }
  await own.advance(20_000)
  expect(platform.calls.filter(({ status }) => status !== 200)).toEqual([])
  const inSecondFrom = (start: number): number =>
    platform.calls.filter(({ at }) => at >= start && at < start + 1_000).length
  expect(Math.max(...platform.calls.map(({ at }) => inSecondFrom(at)))).toBe(15)
  expect(platform.cards.map(({ texts }) => texts.at(-1))).toEqual(Array.from({ length: 50 }, (_, i) => `Hi ${i}`))
})

test('dingtalk: one person gets the card in their own chat with the robot; a picture gets a sentence', async () => {
  const own = world()
  const { say, platform } = dingtalk(own)
  await say('', { conversationType: '1', msgtype: 'picture', text: undefined })
  await own.advance(1_000)
  expect(platform.cards[0]).toMatchObject({
    openSpaceId: 'dtv1.card//IM_ROBOT.user123',
    texts: ['I can only read text.'],
    isFinished: true,
  })
  expect(own.upstream.replies).toHaveLength(0)
})

test('dingtalk: a gateway that shuts down ends the card with a sentence and what was said', async () => {
  const own = world()
  const { say, platform, route } = dingtalk(own)
  await say('Tell a story')
  const reply = await own.upstream.next()
  reply.send('Once upon')
  await own.advance(1_500)
  await own.gateway.close()
  await own.advance(1_500)
  await route.shown()
  expect(platform.cards[0]).toMatchObject({ isFinished: true })
  expect(platform.cards[0]?.texts.at(-1)).toBe(
    'Once upon\n\n(Something went wrong: the robot is restarting. This is what came before; say "continue" to go on.)',
  )
  await reply.left
  expect(own.upstream.openReplies).toBe(0)
})
