import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream, type ScriptedReply, type ScriptedUpstream } from '@midstream/core/testing'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { openConversation, type Conversation } from '../element/conversation.ts'

/** A conversation that is closed and opened again at once: the bubble leaves the page and comes back, or its attributes change. */

let upstream: ScriptedUpstream

beforeEach(() => {
  upstream = scriptedUpstream()
  const gateway = createGateway({ upstream, coalesce: { windowMs: 0 } })
  onTestFinished(() => gateway.close())
  const kept = new Map<string, string>()
  vi.stubGlobal('fetch', gatewayFetch(gateway))
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  })
})
afterEach(() => vi.unstubAllGlobals())

function open(keep: string | null = 'blog'): Conversation {
  const opened = openConversation('/api/chat', keep, () => undefined)
  onTestFinished(() => opened.close())
  return opened
}
const said = ({ session }: Conversation): string[] => session.getSnapshot().messages.map(({ content }) => content)
const streaming = ({ session }: Conversation, text: string): Promise<void> =>
  vi.waitFor(() => expect(session.getSnapshot().messages.at(-1)?.content).toBe(text))

/** Asks, and is answered. */
async function answered({ session }: Conversation, question: string, answer: string): Promise<void> {
  const asked = session.send(question)
  const reply = await upstream.next()
  reply.send(answer)
  reply.finish()
  await asked
}

test('reopen: what is said after it stays, whatever comes for the conversation that was closed', async () => {
  const closed = open()
  void closed.session.send('First')
  const first = await upstream.next()
  first.send('Half')
  await streaming(closed, 'Half')
  closed.close()

  const again = open()
  await vi.waitFor(() => expect(said(again)).toEqual(['First', 'Half']))
  const second = again.session.send('Second')
  const reply = await upstream.next()
  reply.send('Whole')
  reply.finish()
  await second
  first.send(' of it')
  first.finish()
  again.close()

  const last = open()
  await vi.waitFor(() => expect(said(last)).toEqual(['First', 'Half', 'Second', 'Whole']))
})

test('reopen: closed in the tick of a question, it keeps the question, and what is said next comes after it', async () => {
  const closed = open()
  // It has read what is kept.
  await new Promise(setImmediate)
  void closed.session.send('First')
  closed.close()
  const again = open()
  await vi.waitFor(() => expect(said(again)).toContain('First'))
  const second = again.session.send('Second')
  const isSecond = ({ request }: ScriptedReply): boolean => request.messages.at(-1)?.content === 'Second'
  const reply = await vi.waitFor(() => upstream.replies.find(isSecond) ?? expect.fail())
  reply.send('Whole')
  reply.finish()
  await second
  again.close()
  const last = open()
  await vi.waitFor(() => expect(said(last).filter((text) => text !== '')).toEqual(['First', 'Second', 'Whole']))
})

test('reopen: of two that are open under one name the first one alone is kept', async () => {
  const first = open()
  const other = open()
  await answered(other, 'Not kept', 'Nor this')
  first.close()
  other.close()
  expect(said(open())).toEqual([])
})

test('reopen: one that is not kept is forgotten', async () => {
  const closed = open(null)
  await answered(closed, 'First', 'Said')
  closed.close()
  expect(said(open(null))).toEqual([])
})
