import { expect, test } from 'vitest'
import type { ChatSession } from '../src/chat-session.ts'
import { asked, interrupted, isIdle, setup, shows, tell, transcript, when } from './support.ts'

test('regenerate: after a continuation the whole reply is asked for anew', async () => {
  const { session, upstream, requests } = await interrupted('Once')
  void session.continue()
  const run = await upstream.next()
  run.send(' more')
  run.finish()
  await when(session, isIdle)
  const again = session.regenerate()
  const anew = await upstream.next()
  expect(anew.request.prefill).toBe('')
  expect(asked(requests).at(-1)!['messages']).toEqual([{ role: 'user', content: 'Tell me' }])
  anew.send('Twice')
  anew.finish()
  expect(await again).toMatchObject({ content: 'Twice', state: 'done' })
})

test('edit: says something else in place of an earlier message, and forgets what came after it', async () => {
  const { session, upstream, requests } = setup()
  const answer = async (text: string): Promise<void> => {
    const run = await upstream.next()
    run.send(text)
    run.finish()
    await when(session, isIdle)
  }
  for (const n of [1, 2, 3, 4]) {
    void session.send(`Question ${n}`)
    await answer(`Answer ${n}`)
  }
  const fourth = session.getSnapshot().messages[6]!
  const edited = session.edit(fourth.id, 'Question 4, again')
  expect(session.getSnapshot().messages).toHaveLength(8)
  await answer('Answer 4b')
  expect(await edited).toMatchObject({ content: 'Answer 4b' })
  expect(transcript(session.getSnapshot()).slice(-3)).toEqual([
    'Answer 3 (done)',
    '> Question 4, again',
    'Answer 4b (done)',
  ])
  // The gateway tells conversations apart by their first three questions: this one goes on.
  expect(asked(requests).at(-1)!['session_id']).toBe(asked(requests)[0]!['session_id'])
  expect(asked(requests).at(-1)!['messages']).toHaveLength(7)
})

test('edit: of the opening is another conversation, whose session id is used from then on', async () => {
  const { session, upstream, requests } = setup()
  void session.send('Hello')
  const first = await upstream.next()
  first.send('Hi')
  await when(session, shows('Hi'))
  const [opening] = session.getSnapshot().messages
  void session.edit(opening!.id, 'Good day')
  const run = await upstream.next()
  expect(first.signal.aborted).toBe(true)
  expect(asked(requests)).toHaveLength(2)
  expect(asked(requests)[1]).toMatchObject({
    interrupts: { run_id: asked(requests)[0]!['run_id'], position: 2 },
    session_id: asked(requests)[0]!['session_id'],
    messages: [{ role: 'user', content: 'Good day' }],
  })
  run.send('Sir')
  run.finish()
  await when(session, isIdle)
  void session.send('How are you?')
  await upstream.next()
  expect(asked(requests)[2]!['session_id']).not.toBe(asked(requests)[0]!['session_id'])
  await session.clear()
})

test('edit: is refused for a blank text, an unknown message, and a reply; nothing is ended by that', async () => {
  const { session, upstream } = setup()
  const run = await tell(session, upstream, 'Once')
  const [question, answer] = session.getSnapshot().messages
  expect(() => session.edit(question!.id, ' ')).toThrow(TypeError)
  expect(() => session.edit('msg_nobody', 'Well')).toThrow(TypeError)
  expect(() => session.edit(answer!.id, 'Well')).toThrow(TypeError)
  run.finish()
  await when(session, isIdle)
  expect(transcript(session.getSnapshot())).toEqual(['> Tell me', 'Once (done)'])
})

for (const [name, again] of [
  ['regenerate', (session: ChatSession) => session.regenerate()],
  ['edit', (session: ChatSession) => session.edit(session.getSnapshot().messages[0]!.id, 'Tell me more')],
] as const) {
  test(`${name}: while a continuation streams it ends that one in the same request, at its own position`, async () => {
    const { session, upstream, requests } = await interrupted('Once', ' upon')
    void session.continue()
    const run = await upstream.next()
    run.send(' a')
    await when(session, shows('Once upon a'))
    const before = requests.length
    void again(session)
    await upstream.next()
    expect(requests).toHaveLength(before + 1)
    expect(run.signal.aborted).toBe(true)
    expect(requests.at(-1)!.body).toMatchObject({
      interrupts: { run_id: requests.at(-2)!.body['run_id'], position: 2 },
    })
    expect(requests.at(-1)!.body).not.toHaveProperty('resume')
    await session.clear()
  })
}
