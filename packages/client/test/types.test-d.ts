import { assertType, expectTypeOf, test } from 'vitest'
import {
  createChatClient,
  type ChatClient,
  type ChatClientOptions,
  type ChatMessage,
  type ChatSession,
  type ChatSnapshot,
  type ErrorBody,
  type InterruptResult,
} from '@midstream/client'
import { persist } from '@midstream/client/persist'
import { tabs } from '@midstream/client/tabs'

declare const session: ChatSession
declare const snapshot: ChatSnapshot

test('types: a client makes sessions, and a session says how things ended', () => {
  expectTypeOf(createChatClient({ url: '/api/chat' })).toEqualTypeOf<ChatClient>()
  expectTypeOf(createChatClient({ url: '/api/chat' }).session('one')).toEqualTypeOf<ChatSession>()
  expectTypeOf(session.interrupt).returns.toEqualTypeOf<Promise<InterruptResult>>()
  expectTypeOf<InterruptResult['outcome']>().toEqualTypeOf<'interrupted' | 'already_done' | 'unconfirmed'>()
  expectTypeOf(session.continue).returns.toEqualTypeOf<Promise<ChatMessage>>()
})

test('types: what a page shows is read only, and told by its states', () => {
  expectTypeOf(snapshot.messages).toEqualTypeOf<readonly ChatMessage[]>()
  expectTypeOf(snapshot.error).toEqualTypeOf<ErrorBody | null>()
  expectTypeOf<ChatMessage['role']>().toEqualTypeOf<'user' | 'assistant'>()
  expectTypeOf<'waiting'>().toExtend<ChatSnapshot['status']>()
  expectTypeOf<string>().not.toExtend<ChatSnapshot['status']>()
  // @ts-expect-error: nobody writes into it.
  snapshot.messages.push(snapshot.messages[0]!)
  // @ts-expect-error: nor into a message.
  snapshot.messages[0]!.content = ''
})

test('types: options take what an app has', () => {
  assertType<ChatClientOptions>({ url: '/', headers: { authorization: 'x' }, whenBusy: 'queue' })
  assertType<ChatClientOptions>({ url: '/', headers: async () => ({ authorization: 'x' }), body: undefined })
  assertType<ChatClientOptions>({ url: '/', extensions: [persist(undefined), tabs()] })
  // @ts-expect-error: a client has a url.
  assertType<ChatClientOptions>({ whenBusy: 'queue' })
  // @ts-expect-error: no such way.
  assertType<ChatClientOptions>({ url: '/', whenBusy: 'wait' })
})
