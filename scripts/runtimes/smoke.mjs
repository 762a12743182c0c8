// A conversation of a person with a model, from end to end, in any runtime and without a socket: a reply streams, is
// interrupted, and followed up. Plain JavaScript over the built packages: `smoke()` gives what came of it, or throws.
import { createChatClient } from '@midstream/client'
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream } from '@midstream/core/testing'
import { ollama } from '@midstream/core/upstream'
import { equal, shows, texts } from './checks.mjs'

export async function smoke() {
  const upstream = scriptedUpstream()
  const fetch = gatewayFetch(createGateway({ upstream }))
  const session = createChatClient({ url: '/api/chat', fetch }).session()

  const cut = session.send('Tell me a story')
  const story = await upstream.next()
  story.send('Once upon')
  await shows(session, 'Once upon')
  story.send(' a time')
  await shows(session, 'Once upon a time')

  const { outcome } = await session.interrupt()
  equal(outcome, 'interrupted')
  equal((await cut).state, 'interrupted')
  await story.left
  equal(story.signal.aborted, true)

  const whole = session.send('Hello')
  const hello = await upstream.next()
  // The model is told what the person saw, and that it was cut short.
  const told = hello.request.messages.map(({ role, content }) => `${role}: ${content}`)
  equal(told[0], 'user: Tell me a story')
  equal(told[1], 'assistant: Once upon a time')
  equal(told.at(-1).endsWith('Hello'), true)
  hello.send('Good day')
  hello.finish()
  equal((await whole).state, 'done')
  equal(texts(session), 'Tell me a story | Once upon a time | Hello | Good day')

  // How this runtime reaches a model server: nobody listens there, and that is what it says.
  const status = await ollama({ url: 'http://127.0.0.1:9', model: 'none' }).status(AbortSignal.timeout(5_000))
  equal(status.state, 'unreachable')
  return `${told.length} messages told, ${session.getSnapshot().messages.length} shown`
}
