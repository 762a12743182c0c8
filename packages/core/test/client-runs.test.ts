import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway } from '../src/gateway/index.ts'
import { scriptedUpstream } from '../src/testing/index.ts'
import { createId } from '../src/wire/ids.ts'

type Ask = (client: string, sessionId: string) => Promise<number>
function bed(clientOf = (address: string | null): string | null => address): { gateway: Gateway; ask: Ask } {
  const gateway = createGateway({
    upstream: scriptedUpstream(),
    limits: { clientRuns: 2 },
    clientOf: async ({ headers }) => clientOf(headers.get('x-address')),
  })
  onTestFinished(() => gateway.close())
  const ask: Ask = async (client, session_id) => {
    const body = JSON.stringify({ session_id, reconnect: true, messages: [{ role: 'user', content: 'Hello' }] })
    const headers = { 'x-address': client }
    return (await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', headers, body }))).status
  }
  return { gateway, ask }
}

test('clientRuns: who supersedes somebody else’s run frees none of their own', async () => {
  const { gateway, ask } = bed()
  expect([await ask('b', createId('sess')), await ask('b', createId('sess'))]).toEqual([200, 200])
  const session = createId('sess')
  expect(await ask('a', session)).toBe(200)
  expect(await ask('b', session)).toBe(429)
  // The run that would have been superseded goes on.
  expect(gateway.stats().runs).toBe(3)
})

test('clientRuns: who supersedes their own run has its place', async () => {
  const { gateway, ask } = bed()
  const session = createId('sess')
  expect([await ask('b', createId('sess')), await ask('b', session), await ask('b', session)]).toEqual([200, 200, 200])
  expect(gateway.stats().runs).toBe(2)
})

test('clientRuns: who is nobody in particular is not counted, and frees nobody’s place', async () => {
  const { ask } = bed((address) => (address === 'nobody' ? null : address))
  const session = createId('sess')
  for (let i = 0; i < 5; i++) expect(await ask('nobody', createId('sess'))).toBe(200)
  expect([await ask('nobody', session), await ask('b', session), await ask('b', createId('sess'))]).toEqual([
    200, 200, 200,
  ])
  expect(await ask('b', createId('sess'))).toBe(429)
})
