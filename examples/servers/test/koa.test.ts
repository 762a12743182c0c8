import { Router } from '@koa/router'
import Koa from 'koa'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { chat, type Call } from './support/chat.ts'
import { startRecordingOllama } from './support/recording-ollama.ts'

test('koa: what stands in front goes on when the answer is over, or its reader gone, and not before', async () => {
  const upstream = await startRecordingOllama()
  vi.stubEnv('OLLAMA_URL', upstream.url)
  const { mount } = await import('../src/koa.ts')
  const { gateway } = await import('../src/gateway.ts')
  vi.unstubAllEnvs()
  const app = new Koa()
  const router = new Router()
  mount(router)
  const wholes: boolean[] = []
  let logged = Promise.withResolvers<void>()
  app.use(async ({ res }, next) => {
    await next()
    wholes.push(res.writableFinished)
    logged.resolve()
  })
  app.use(router.routes())
  const server = app.listen(0, '127.0.0.1')
  onTestFinished(async () => {
    await gateway.close()
    server.closeAllConnections()
    server.close()
    await upstream.close()
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const call: Call = (path, init) => fetch(url + path, init)

  const whole = await chat(call, 'Hello')
  const asked = await upstream.next()
  asked.say('Hi')
  await whole.text(2)
  expect(wholes).toEqual([])
  asked.finish()
  await whole.end()
  await logged.promise
  expect(wholes).toEqual([true])

  logged = Promise.withResolvers<void>()
  const left = await chat(call, 'Hello')
  await upstream.next()
  await left.leave()
  await logged.promise
  expect(wholes).toEqual([true, false])
})
