import { ChatError } from '@midstream/core'
import { expect, test } from 'vitest'
import { byteLength } from '../src/conversation/pages.ts'
import { wecomStandIn } from '../src/demo/wecom-stand-in.ts'
import { parseWecom } from '../src/wecom/message.ts'
import { robot, wecom, world } from './support.ts'

test('wecom: the address check is answered with the echo, as it is', async () => {
  const { deliver, platform } = wecom(world())
  const reply = await deliver({ query: platform.check('1616140317555161061'), body: '' }, 'GET')
  expect(reply).toEqual({ status: 200, type: 'text/plain', body: '1616140317555161061' })
})

test('wecom: plus signs of the echo that nobody escaped are read as such', async () => {
  const { deliver, platform } = wecom(world())
  for (let i = 0; i < 20; i++) {
    const query = platform.check(String(i)).replaceAll('%2B', '+')
    expect(await deliver({ query, body: '' }, 'GET')).toMatchObject({ status: 200, body: String(i) })
  }
})

test('wecom: an answer grows from refresh to refresh until it is finished', async () => {
  const own = world()
  const { say, refresh } = wecom(own)
  let stream = await say('hello robot')
  expect(stream).toEqual({ id: stream.id, finish: false, content: '' })
  const reply = await own.upstream.next()
  expect(own.told()).toEqual([{ role: 'user', content: 'hello robot' }])
  reply.send('Good ')
  await own.advance(200)
  stream = await refresh(stream)
  expect(stream).toMatchObject({ finish: false, content: 'Good ' })
  reply.send('morning')
  reply.finish()
  await own.advance(200)
  expect(await refresh(stream)).toEqual({ id: stream.id, finish: true, content: 'Good morning' })
})

test('wecom: a new question in the group finishes the running message, and the model is told just what it shows', async () => {
  const own = world()
  const { say, refresh } = wecom(own)
  const first = await say('Tell a story')
  const running = await own.upstream.next()
  running.send('Once upon a time')
  await own.advance(200)
  const second = await say('Shorter')
  await running.left
  const stopped = await refresh(first)
  expect(stopped).toMatchObject({ finish: true, content: 'Once upon a time\n\n(stopped)' })
  const next = await own.upstream.next()
  expect(own.told()).toEqual([
    { role: 'user', content: 'Tell a story' },
    { role: 'assistant', content: 'Once upon a time', interrupted: true },
    { role: 'user', content: 'Shorter' },
  ])
  next.send('A cat.')
  next.finish()
  await own.advance(200)
  expect(await refresh(second)).toMatchObject({ finish: true, content: 'A cat.' })
})

test('wecom: a callback that comes again gets the same message, and the model is asked once', async () => {
  const own = world()
  const { deliver, platform } = wecom(own)
  const callback = platform.say('Hello')
  const first = platform.open((await deliver(callback)).body!)
  const reply = await own.upstream.next()
  reply.send('Hi')
  await own.advance(200)
  expect(platform.open((await deliver(callback)).body!)).toEqual({ id: first.id, finish: false, content: 'Hi' })
  expect(own.upstream.replies).toHaveLength(1)
})

test('wecom: a callback that comes again when its answer is forgotten asks nobody anew', async () => {
  const own = world()
  const { deliver, platform } = wecom(own)
  const callback = platform.say('Hello')
  await deliver(callback)
  const picture = { msgtype: 'image', text: undefined }
  for (let i = 0; i < 2_000; i++) await deliver(platform.say('', picture))
  expect(await deliver(callback)).toEqual({ status: 200 })
  expect(own.upstream.replies).toHaveLength(1)
})

test('wecom: an answer that gets too long for a message is ended, and fits', async () => {
  const own = world()
  const { say, refresh } = wecom(own)
  let stream = await say('Everything')
  const reply = await own.upstream.next()
  while (!stream.finish) {
    reply.send('很长的回答，'.repeat(40))
    await own.advance(200)
    stream = await refresh(stream)
    expect(byteLength(stream.content)).toBeLessThanOrEqual(20_480)
  }
  await reply.left
  expect(stream.content).toMatch(/\n\n\(too long for one message: say "continue" to go on\)$/)
  await say('And?')
  await own.upstream.next()
  expect(`${own.told()[1]!.content}\n\n(too long for one message: say "continue" to go on)`).toBe(stream.content)
})

test('wecom: what a model says in one breath beyond the limit is posted to the address of the question, once', async () => {
  const own = world()
  const posts: { readonly url: unknown; readonly body: string }[] = []
  const post: typeof fetch = async (url, init) => {
    posts.push({ url, body: await new Request(url, init).text() })
    return new Response('{"errcode":0}')
  }
  const { say, refresh, route } = wecom(own, { fetch: post })
  const stream = await say('Everything')
  const reply = await own.upstream.next()
  const said = '一口气说完。'.repeat(1_500)
  reply.send(said)
  reply.finish()
  await own.advance(200)
  const shown = await refresh(stream)
  await refresh(stream)
  await route.shown()
  expect(shown.finish).toBe(true)
  expect(byteLength(shown.content)).toBeLessThanOrEqual(20_480)
  expect(posts).toHaveLength(1)
  expect(posts[0]?.url).toBe('https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=STANDIN')
  const rest = JSON.parse(posts[0]!.body) as { msgtype: string; markdown: { content: string } }
  expect(rest.msgtype).toBe('markdown')
  expect(shown.content + rest.markdown.content).toBe(said)
  expect(own.problems).toEqual([])
})

test.for([
  [
    'is refused',
    () => Promise.resolve(new Response('{"errcode":40001,"errmsg":"invalid code"}')),
    'WeCom refused it with errcode 40001',
  ],
  ['meets a failing server', () => Promise.resolve(new Response('', { status: 502 })), 'WeCom answered 502'],
  [
    'reaches nobody',
    () => Promise.reject(new TypeError('no https://qyapi…?response_code=SECRET')),
    'WeCom cannot be reached',
  ],
  ['is never answered', hangs, 'WeCom cannot be reached'],
] as const)('wecom: a rest that %s is reported, without its address', async ([, post, why]) => {
  const own = world()
  const { say, refresh, route } = wecom(own, { fetch: post })
  const stream = await say('Everything')
  const reply = await own.upstream.next()
  reply.send('x'.repeat(25_000))
  reply.finish()
  await own.advance(200)
  await refresh(stream)
  await own.advance(10_000)
  await route.shown()
  expect(own.problems).toEqual([`wecom: the end of an answer could not be shown: ${why}`])
  expect(own.clock.timers).toBe(0)
})

function hangs(_url: unknown, init?: RequestInit): Promise<Response> {
  return new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))))
}

test('wecom: the rest is posted nowhere but to WeCom', async () => {
  const own = world()
  const { say, refresh, route } = wecom(own, { fetch: () => Promise.reject(new Error('somebody was called')) })
  const stream = await say('Everything', { response_url: 'https://evil.example/take' })
  const reply = await own.upstream.next()
  reply.send('x'.repeat(25_000))
  reply.finish()
  await own.advance(200)
  await refresh(stream)
  await route.shown()
  expect(own.problems).toEqual(['wecom: the end of an answer could not be shown: no address to post it to'])
})

test('wecom: an answer that takes longer than the platform asks for is ended in time', async () => {
  const own = world()
  const { say, refresh } = wecom(own)
  let stream = await say('Slowly')
  const reply = await own.upstream.next()
  for (let second = 0; second < 329; second += 1) {
    reply.send('.')
    await own.advance(1_000)
    stream = await refresh(stream)
    expect(stream.finish).toBe(false)
  }
  await own.advance(2_000)
  stream = await refresh(stream)
  expect(stream).toMatchObject({ finish: true })
  expect(stream.content).toMatch(/^\.+\n\n\(too long/)
  await reply.left
})

test('wecom: a model that fails is a plain sentence under what it had said', async () => {
  const own = world()
  const { say, refresh } = wecom(own)
  const stream = await say('Hello')
  const reply = await own.upstream.next()
  reply.send('Well')
  await own.advance(200)
  reply.fail(new ChatError('upstream_crashed', 'CUDA out of memory at 0x7f'))
  await own.advance(200)
  const { finish, content } = await refresh(stream)
  expect(finish).toBe(true)
  expect(content).toBe(
    'Well\n\n(Something went wrong: the model server failed. This is what came before; say "continue" to go on.)',
  )
})

test('wecom: a gateway that shuts down finishes the message, and all is shown when the platform has heard of it', async () => {
  const own = world()
  const { say, refresh, route } = wecom(own)
  const stream = await say('Hello')
  const reply = await own.upstream.next()
  reply.send('Well')
  await own.advance(200)
  await own.gateway.close()
  await own.advance(200)
  let isShown = false
  const shown = route.shown().then(() => (isShown = true))
  await own.advance(1_000)
  expect(isShown).toBe(false)
  expect(await refresh(stream)).toMatchObject({ finish: true, content: expect.stringMatching(/^Well\n\n.*restarting/) })
  await shown
})

test('wecom: a stream that nobody knows is finished, so that the platform stops asking', async () => {
  const { refresh } = wecom(world())
  expect(await refresh({ id: 'gone', finish: false, content: '' })).toEqual({
    id: 'gone',
    finish: true,
    content: '(This answer is gone; please ask again.)',
  })
})

test('wecom: speech and the text beside pictures are read; a picture alone gets a sentence; events get nothing', async () => {
  const own = world()
  const { say, deliver, platform } = wecom(own)
  const single = { chatid: undefined, chattype: 'single', text: undefined }
  await say('', { ...single, msgtype: 'voice', voice: { content: 'spoken' } })
  await own.upstream.next()
  expect(own.told().at(-1)?.content).toBe('spoken')
  const items = [
    { msgtype: 'text', text: { content: '@机器人 这是今日的测试情况' } },
    { msgtype: 'image', image: { url: 'URL' } },
  ]
  await say('', { msgtype: 'mixed', text: undefined, mixed: { msg_item: items } })
  await own.upstream.next()
  expect(own.told().at(-1)?.content).toBe('这是今日的测试情况')
  const picture = await say('', { ...single, msgtype: 'image', image: { url: 'URL' } })
  expect(picture).toMatchObject({ finish: true, content: 'I can only read text.' })
  const event = platform.say('', { msgtype: 'event', event: { eventtype: 'enter_chat' } })
  expect(await deliver(event)).toEqual({ status: 200 })
  expect(own.upstream.replies).toHaveLength(2)
})

test.for([
  ['@Robot stop', undefined, 'stop'],
  ['停 @机器人', undefined, '停'],
  ['@机器人', undefined, ''],
  ['@Robot write to @bob', undefined, 'write to @bob'],
  ['mail me@here.example @Robot', undefined, 'mail me@here.example'],
  ['@Ops Robot (2) stop', 'Ops Robot (2)', 'stop'],
  ['停 @Ops Robot', 'Ops Robot', '停'],
  ['Tell @bob, @Ops Robot please', 'Ops Robot', 'Tell @bob,  please'],
  ['@Robots and @Robot go', 'Robot', '@Robots and  go'],
  // It was given another name since.
  ['@Robot stop', 'Ops Robot', 'stop'],
] as const)('wecom: of "%s" to the robot named %s, "%s" is the question', ([said, robotName, question]) => {
  const message = { msgid: '1', chatid: 'C', msgtype: 'text', text: { content: said } }
  expect(parseWecom(JSON.stringify(message), robotName)).toMatchObject({ text: question })
})

test('wecom: a robot with a space in its name is told to stop', async () => {
  const own = world()
  const { say } = wecom(own, { robotName: 'Ops Robot' })
  await say('Tell a story')
  const reply = await own.upstream.next()
  await say('', { text: { content: '停 @Ops Robot' } })
  await reply.left
  expect(own.upstream.replies).toHaveLength(1)
})

test('wecom: persons that write alone have conversations of their own', async () => {
  const own = world()
  const { say } = wecom(own)
  const single = { chatid: undefined, chattype: 'single' }
  await say('I am A', { ...single, from: { userid: 'a' } })
  const first = await own.upstream.next()
  await say('I am B', { ...single, from: { userid: 'b' } })
  await own.upstream.next()
  expect(first.signal.aborted).toBe(false)
  expect(own.told()).toHaveLength(1)
  expect(own.chats.size).toBe(2)
})

test('wecom: whatever is not from WeCom, for this robot and of now is 401, and says nothing more', async () => {
  const own = world()
  const { deliver, platform } = wecom(own)
  const good = platform.say('Hello')
  const with_ = (name: string, value: string): string => {
    const query = new URLSearchParams(good.query)
    query.set(name, value)
    return query.toString()
  }
  const stranger = wecomStandIn({ ...robot, token: 'other' }, () => own.clock.now())
  const otherKey = wecomStandIn({ ...robot, aesKey: 'a'.repeat(43) }, () => own.clock.now())
  const late = wecomStandIn(robot, () => own.clock.now() - 601_000)
  const early = wecomStandIn(robot, () => own.clock.now() + 601_000)
  const refused = [
    { ...good, query: '' },
    { ...good, query: with_('msg_signature', 'a'.repeat(40)) },
    { ...good, query: with_('timestamp', '1') },
    { ...good, query: with_('nonce', 'other') },
    { ...good, body: '{}' },
    { ...good, body: 'no json' },
    { ...good, body: '{"encrypt":7}' },
    stranger.say('Hello'),
    otherKey.say('Hello'),
    late.say('Hello'),
    early.say('Hello'),
  ]
  for (const callback of refused) expect(await deliver(callback)).toEqual({ status: 401 })
  expect(await deliver({ query: late.check('1'), body: '' }, 'GET')).toEqual({ status: 401 })
  expect(await deliver(good, 'DELETE')).toEqual({ status: 405 })
  expect(own.upstream.replies).toHaveLength(0)
})
