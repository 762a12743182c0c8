import { expect, test } from 'vitest'
import type { Answer } from '../src/conversation/answer.ts'
import { byteLength, cutBytes, splitPages } from '../src/conversation/pages.ts'
import { readCommand } from '../src/conversation/words.ts'
import { world, type World } from './support.ts'

async function answered(own: World, answer: Answer, text: string): Promise<string> {
  const reply = await own.upstream.next()
  reply.send(text)
  reply.finish()
  await own.until(() => answer.now().isOver)
  return answer.now().text
}

test('chats: what was said before is told again, and each group has its own', async () => {
  const own = world()
  await answered(own, own.chats.ask('a', 'one'), 'ONE')
  await answered(own, own.chats.ask('b', 'other'), 'OTHER')
  await answered(own, own.chats.ask('a', 'two'), 'TWO')
  expect(own.told()).toEqual([
    { role: 'user', content: 'one' },
    { role: 'assistant', content: 'ONE' },
    { role: 'user', content: 'two' },
  ])
})

test('chats: stop ends the running answer and asks the model nothing', async () => {
  const own = world()
  const answer = own.chats.ask('a', 'Tell a story')
  const reply = await own.upstream.next()
  reply.send('Once')
  await own.until(() => answer.now().text === 'Once')
  expect(own.chats.ask('a', '停止。').now()).toEqual({ text: 'All right, stopped.', isOver: true })
  expect(answer.now()).toEqual({ text: 'Once\n\n(stopped)', isOver: true })
  await reply.left
  expect(own.upstream.replies).toHaveLength(1)
  expect(own.chats.ask('a', 'stop').now().text).toBe('Nothing is being answered right now.')
})

test('chats: continue grows the stopped reply, and shows what is new of it', async () => {
  const own = world()
  const answer = own.chats.ask('a', 'Tell a story')
  const reply = await own.upstream.next()
  reply.send('Once upon')
  await own.until(() => answer.now().text !== '')
  expect(own.chats.ask('a', 'continue').now()).toEqual({ text: 'I am still at it.', isOver: true })
  expect(answer.now().isOver).toBe(false)
  own.chats.ask('a', 'stop')
  await reply.left
  const more = own.chats.ask('a', '继续')
  expect(await answered(own, more, ' a time')).toBe(' a time')
  expect(answer.now().text).toBe('Once upon\n\n(stopped)')
  const next = own.chats.ask('a', 'And then?')
  await answered(own, next, 'The end')
  expect(own.told().slice(0, 2)).toEqual([
    { role: 'user', content: 'Tell a story' },
    { role: 'assistant', content: 'Once upon a time' },
  ])
})

test('chats: a whole reply is not continued: the word is a question then', async () => {
  const own = world()
  await answered(own, own.chats.ask('a', 'Hello'), 'Hi')
  await answered(own, own.chats.ask('a', 'continue'), 'With what?')
  expect(own.told().at(-1)).toEqual({ role: 'user', content: 'continue' })
})

test('chats: a length limit is said in words', async () => {
  const own = world()
  const long = own.chats.ask('a', 'Hello')
  const reply = await own.upstream.next()
  reply.send('Hi')
  reply.finish('length')
  await own.until(() => long.now().isOver)
  expect(long.now().text).toBe('Hi\n\n(the length limit is reached: say "continue" to go on)')
})

test('chats: starting anew forgets what was said', async () => {
  const own = world()
  await answered(own, own.chats.ask('a', 'one'), 'ONE')
  expect(own.chats.ask('a', '重新开始').now().text).toBe('All right, from the start.')
  await answered(own, own.chats.ask('a', 'two'), 'TWO')
  expect(own.told()).toEqual([{ role: 'user', content: 'two' }])
})

test('chats: only so many are remembered, and one that is forgotten while it answers is stopped', async () => {
  const own = world({ maxChats: 2 })
  const answer = own.chats.ask('a', 'Tell a story')
  const reply = await own.upstream.next()
  reply.send('Once')
  await own.until(() => answer.now().text === 'Once')
  await answered(own, own.chats.ask('b', 'Hello'), 'Hi')
  await answered(own, own.chats.ask('c', 'Hello'), 'Hi')
  expect(own.chats.size).toBe(2)
  expect(answer.now()).toEqual({ text: 'Once\n\n(stopped)', isOver: true })
  await reply.left
  expect(own.upstream.openReplies).toBe(0)
})

test('chats: after hours of silence a question starts anew', async () => {
  const own = world({ idleMs: 1_000 })
  await answered(own, own.chats.ask('a', 'one'), 'ONE')
  own.clock.advance(1_001)
  await answered(own, own.chats.ask('a', 'two'), 'TWO')
  expect(own.told()).toEqual([{ role: 'user', content: 'two' }])
})

test('chats: the oldest turns go when a conversation gets long', async () => {
  const own = world({ maxChars: 100 })
  for (let i = 0; i < 8; i++) await answered(own, own.chats.ask('a', `question ${i}`), `answer ${i} ${'.'.repeat(20)}`)
  const told = own.told()
  expect(told[0]?.role).toBe('user')
  expect(told.at(-1)?.content).toBe('question 7')
  expect(told.at(-2)?.content).toMatch(/^answer 6/)
  expect(told.reduce((sum, { content }) => sum + content.length, 0)).toBeLessThanOrEqual(120)
})

test('chats: a long conversation in which everybody cuts in is shortened, too, and each running answer is ended', async () => {
  const own = world({ maxChars: 100 })
  for (let i = 0; i < 12; i++) {
    const answer = own.chats.ask('a', `question ${i}`)
    const reply = await own.upstream.next()
    reply.send(`answer ${i} ${'.'.repeat(20)}`)
    await own.advance(200)
    expect(answer.now().text).toMatch(/^answer/)
  }
  expect(own.upstream.openReplies).toBe(1)
  expect(own.told().at(-2)).toMatchObject({
    role: 'assistant',
    content: `answer 10 ${'.'.repeat(20)}`,
    interrupted: true,
  })
  expect(own.told().length).toBeLessThan(8)
})

test.for([
  ['停', 'stop'],
  [' Stop! ', 'stop'],
  ['继续。', 'continue'],
  ['go on', 'continue'],
  ['/new', 'clear'],
  ['new', 'clear'],
  ['New chat.', 'clear'],
  ['新对话', 'clear'],
  ['new to this, what is it?', undefined],
  ['stop the car', undefined],
  ['为什么继续', undefined],
] as const)('words: %s is %s', ([text, command]) => {
  expect(readCommand(text)).toBe(command)
})

test('pages: together they are the text, none is too large, and growing changes the last one alone', () => {
  const text = `${'第一段，有一些话。\n'.repeat(30)}${'🐈'.repeat(50)} and ${'words. '.repeat(40)}`
  let before: readonly string[] = ['']
  for (let length = 0; length <= text.length; length += 7) {
    const pages = splitPages(text.slice(0, length), 200)
    expect(pages.join('')).toBe(text.slice(0, length))
    for (const page of pages) expect(byteLength(page)).toBeLessThanOrEqual(200)
    expect(pages.slice(0, before.length - 1)).toEqual(before.slice(0, -1))
    before = pages
  }
})

test('pages: no character is cut in two', () => {
  expect(cutBytes('a🐈b', 4)).toBe('a')
  expect(cutBytes('a🐈b', 5)).toBe('a🐈')
  expect(cutBytes('字', 2)).toBe('')
})
