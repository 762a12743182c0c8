import { startNano, type Nano, type NanoOptions } from '@midstream/example-nano'
import type { TestContext } from 'vitest'
import { startChatServer, type ChatServer } from './chat-server.ts'
import { startFakeOllama, type FakeOllama } from './fake-ollama.ts'

type OnTestFinished = TestContext['onTestFinished']

/** A chat server that only this test uses, and may kill. */
export async function ownServer(onTestFinished: OnTestFinished, upstream: string, port = 0): Promise<ChatServer> {
  const server = await startChatServer(['--port', String(port), '--upstream', upstream])
  onTestFinished(async () => void (await server.end('SIGKILL')))
  return server
}

/** A model whose generations are this test's alone, and the chat server before it. */
export async function ownNano(
  onTestFinished: OnTestFinished,
  options?: NanoOptions,
): Promise<{ readonly nano: Nano; readonly server: ChatServer }> {
  const nano = await startNano(options)
  onTestFinished(() => nano.close())
  return { nano, server: await ownServer(onTestFinished, nano.url) }
}

/** A model that says what this test wants, and the chat server before it. */
export async function ownFake(
  onTestFinished: OnTestFinished,
): Promise<{ readonly fake: FakeOllama; readonly server: ChatServer }> {
  const fake = await startFakeOllama()
  onTestFinished(() => fake.close())
  return { fake, server: await ownServer(onTestFinished, fake.url) }
}
