import { expectTypeOf, test } from 'vitest'
import {
  createChatClient,
  useChatStream,
  type ChatMessage,
  type ChatStatus,
  type UseChatStreamResult,
} from '@midstream/react'

declare const chat: UseChatStreamResult

test('types: the hook gives the snapshot and what a person can do', () => {
  expectTypeOf(useChatStream).returns.toEqualTypeOf<UseChatStreamResult>()
  expectTypeOf(chat.messages).toEqualTypeOf<readonly ChatMessage[]>()
  expectTypeOf(chat.status).toEqualTypeOf<ChatStatus>()
  expectTypeOf(chat.send).toEqualTypeOf<(text: string) => Promise<ChatMessage | null>>()
  expectTypeOf(chat).not.toHaveProperty('subscribe')
})

test('types: it takes a url, or a client', () => {
  expectTypeOf(useChatStream).toBeCallableWith({ url: '/api/chat' })
  expectTypeOf(useChatStream).toBeCallableWith({ client: createChatClient({ url: '/' }), session: 'one' })
  // @ts-expect-error: one of them is needed.
  useChatStream({ session: 'one' })
})
