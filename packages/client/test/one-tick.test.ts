import { expect, test } from 'vitest'
import type { ChatSession } from '../src/chat-session.ts'
import type { ChatMessage } from '../src/message.ts'
import { asked, setup, shows, tell, transcript, turn, when } from './support.ts'

/** Two things that a person does in one tick: nothing of either is lost, nothing is asked twice, and one run is left. */

type Act = (session: ChatSession) => Promise<unknown>
const send =
  (text: string): Act =>
  (session) =>
    session.send(text)
const acts = {
  send: send('New'),
  regenerate: (session) => session.regenerate(),
  edit: (session) => session.edit(session.getSnapshot().messages[0]!.id, 'Edited'),
  interrupt: (session) => session.interrupt(),
  clear: (session) => session.clear(),
  continue: (session) => session.continue(),
} satisfies Record<string, Act>

/** What is shown in the end: the question, the partial that stands, and what was asked in its place or after it. */
const pairs: readonly (readonly [keyof typeof acts, keyof typeof acts, readonly string[]])[] = [
  ['send', 'send', ['> Tell me', 'Once (interrupted)', '> New', ' (interrupted)', '> New', 'Yes (done)']],
  ['send', 'regenerate', ['> Tell me', 'Once (interrupted)', '> New', 'Yes (done)']],
  ['regenerate', 'send', ['> Tell me', ' (interrupted)', '> New', 'Yes (done)']],
  ['regenerate', 'regenerate', ['> Tell me', 'Yes (done)']],
  ['edit', 'send', ['> Edited', ' (interrupted)', '> New', 'Yes (done)']],
  ['send', 'edit', ['> Edited', 'Yes (done)']],
  ['edit', 'edit', ['> Edited', 'Yes (done)']],
  ['interrupt', 'send', ['> Tell me', 'Once (interrupted)', '> New', 'Yes (done)']],
  ['interrupt', 'regenerate', ['> Tell me', 'Yes (done)']],
  ['interrupt', 'edit', ['> Edited', 'Yes (done)']],
  ['interrupt', 'continue', ['> Tell me', 'OnceYes (done)']],
  ['clear', 'send', ['> New', 'Yes (done)']],
]

for (const isStreaming of [true, false]) {
  for (const [first, second, shown] of pairs) {
    if (!isStreaming && first === 'interrupt') continue
    test(`one tick: ${first} and ${second}, ${isStreaming ? 'while an answer streams' : 'after an answer'}`, async () => {
      const { session, upstream, requests } = setup()
      const run = await tell(session, upstream, 'Once')
      const over = isStreaming ? undefined : run
      if (!isStreaming) {
        run.finish()
        await when(session, ({ status }) => status === 'idle')
      }
      const outcomes = [acts[first](session), acts[second](session)]
      await turn()
      await turn()
      // One run is left. What a request that was overtaken started is over.
      const live = upstream.replies.filter((each) => !each.signal.aborted && each !== over)
      expect(live).toHaveLength(1)
      live[0]!.send('Yes')
      live[0]!.finish()
      const [, ended] = await Promise.all(outcomes)
      expect(ended).toMatchObject({ state: 'done' })
      await turn()
      const expected = isStreaming ? shown : shown.map((line) => line.replace('Once (interrupted)', 'Once (done)'))
      expect(transcript(session.getSnapshot())).toEqual(expected)
      expect(session.getSnapshot().status).toBe('idle')
      // The model was told the same: what was said before, once, in its order.
      const last = asked(requests).at(-1)!['messages'] as ChatMessage[]
      const questions = expected.filter((line) => line.startsWith('> ')).map((line) => line.slice(2))
      expect(last.filter(({ role }) => role === 'user').map(({ content }) => content)).toEqual(questions)
      const runs = asked(requests).map((body) => body['run_id'])
      expect(new Set(runs).size).toBe(runs.length)
      session.close()
    })
  }
}

test('one tick: with a queue, two sends are asked one after the other, and a clear takes back both', async () => {
  const { session, upstream, requests } = setup({ whenBusy: 'queue' })
  const [one, two] = [session.send('One'), session.send('Two')]
  ;(await upstream.next()).send('1', { finish: 'stop' })
  expect(await one).toMatchObject({ content: '1', state: 'done' })
  ;(await upstream.next()).send('2', { finish: 'stop' })
  expect(await two).toMatchObject({ content: '2', state: 'done' })
  expect(asked(requests)).toHaveLength(2)
  const three = session.send('Three')
  const four = session.send('Four')
  await session.clear()
  expect(await four).toBeNull()
  expect(await three).toMatchObject({ state: 'interrupted' })
  expect(session.getSnapshot().messages).toEqual([])
})

test('one tick: twelve sends are twelve questions, of which the last is answered', async () => {
  const { session, upstream } = setup()
  const sent = Array.from({ length: 12 }, (_, n) => session.send(`${n}`))
  await turn()
  await turn()
  const live = upstream.replies.filter(({ signal }) => !signal.aborted)
  expect(live).toHaveLength(1)
  live[0]!.send('Yes')
  live[0]!.finish()
  await when(session, shows('Yes'))
  expect((await Promise.all(sent)).map((reply) => reply!.state)).toEqual([
    ...Array<string>(11).fill('interrupted'),
    'done',
  ])
  const questions = session.getSnapshot().messages.filter(({ role }) => role === 'user')
  expect(questions.map(({ content }) => content)).toEqual(Array.from({ length: 12 }, (_, n) => `${n}`))
})
