import { assertType, expectTypeOf, test } from 'vitest'
import type { ChatErrorCode, ChatEvent, ChatTurn, ErrorBody, TerminalEvent, ToolCall } from '@midstream/core'
import {
  createGateway,
  type Gateway,
  type GatewayOptions,
  type Identity,
  type StandardSchema,
} from '@midstream/core/gateway'
import {
  anthropic,
  fromIterable,
  ollama,
  openaiCompatible,
  type Upstream,
  type UpstreamEvent,
} from '@midstream/core/upstream'

declare const event: ChatEvent
declare const terminal: TerminalEvent

test('types: an event is told by the key that it has', () => {
  if ('message' in event) expectTypeOf(event.message).toEqualTypeOf<string>()
  if ('thinking' in event) expectTypeOf(event.thinking).toEqualTypeOf<string>()
  if ('tool_call' in event) expectTypeOf(event.tool_call).toEqualTypeOf<ToolCall>()
  if ('session_id' in event) expectTypeOf(event.heartbeat_ms).toEqualTypeOf<number>()
  if ('done' in event) expectTypeOf(event).toEqualTypeOf<TerminalEvent>()
  // @ts-expect-error: not before it is told.
  void event.message
})

test('types: a terminal event is told by its reason', () => {
  if (terminal.reason === 'error') expectTypeOf(terminal.error).toEqualTypeOf<ErrorBody>()
  if (terminal.reason === 'interrupted') expectTypeOf(terminal.position).toEqualTypeOf<number>()
  if (terminal.reason === 'stop') expectTypeOf(terminal).not.toHaveProperty('position')
})

test('types: codes of errors are a closed union', () => {
  expectTypeOf<'upstream_busy'>().toExtend<ChatErrorCode>()
  expectTypeOf<string>().not.toExtend<ChatErrorCode>()
  // @ts-expect-error: there is no such code.
  assertType<ChatErrorCode>('upstream_sleepy')
})

test('types: a gateway takes an upstream, and gives a fetch handler', () => {
  const upstream = ollama({ model: 'm' })
  expectTypeOf(upstream).toEqualTypeOf<Upstream>()
  expectTypeOf(openaiCompatible({ model: 'm', dialect: 'vllm' })).toEqualTypeOf<Upstream>()
  expectTypeOf(anthropic({ model: 'm', apiKey: 'k' })).toEqualTypeOf<Upstream>()
  expectTypeOf(createGateway({ upstream })).toEqualTypeOf<Gateway>()
  expectTypeOf<Gateway>().parameters.toEqualTypeOf<[request: Request]>()
  expectTypeOf<Gateway>().returns.toEqualTypeOf<Promise<Response>>()
  // What an app may leave out it may also set to undefined.
  assertType<GatewayOptions>({ upstream, allowedOrigins: undefined, fuse: undefined, limits: { runs: undefined } })
  // @ts-expect-error: an option in another unit has another name.
  assertType<GatewayOptions>({ upstream, orphanSeconds: 3 })
  // @ts-expect-error: not a dialect that is known; facts of another one are an object.
  openaiCompatible({ model: 'm', dialect: 'unheard-of' })
  // @ts-expect-error: an upstream has a model.
  ollama({})
})

test('types: an upstream of iterables is a name, a model and what it generates', () => {
  fromIterable({
    name: 'mine',
    model: 'm',
    async *generate({ messages, prefill }, signal) {
      expectTypeOf(messages).toEqualTypeOf<readonly ChatTurn[]>()
      expectTypeOf(prefill).toEqualTypeOf<string>()
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
      yield [{ message: 'Hi' }, { data: { type: 'sources', urls: [] } }]
      yield [{ finish: 'stop' as const }]
    },
  })
  // A finish has a reason that is known.
  expectTypeOf<{ readonly finish: 'done' }>().not.toExtend<UpstreamEvent>()
})

test('types: what authorize returns is the context of prepare and onRunEnd', () => {
  const upstream = ollama({ model: 'm' })
  createGateway({
    upstream,
    authorize: async ({ headers }) => {
      const name = headers.get('x-user')
      return name === null ? null : { owner: name, plan: 'pro' as const }
    },
    prepare({ context, metadata }) {
      expectTypeOf(context).toEqualTypeOf<{ owner: string; plan: 'pro' }>()
      expectTypeOf(metadata).toEqualTypeOf<Readonly<Record<string, unknown>> | undefined>()
      return { system: context.plan }
    },
    onRunEnd: ({ context, run }) => {
      expectTypeOf(context.plan).toEqualTypeOf<'pro'>()
      expectTypeOf(run.message()).toEqualTypeOf<ChatTurn>()
    },
  })
  // A name alone is an owner.
  createGateway({
    upstream,
    authorize: () => 'ada',
    prepare: ({ context }) => void expectTypeOf(context).toEqualTypeOf<Identity>(),
  })
  // @ts-expect-error: somebody without an owner is nobody.
  createGateway({ upstream, authorize: () => ({ user: 'ada' }) })
})

test('types: a schema gives metadata its type', () => {
  const schema: StandardSchema<{ readonly chatId: string }> = {
    '~standard': { version: 1, vendor: 'test', validate: () => ({ value: { chatId: 'c' } }) },
  }
  createGateway({
    upstream: ollama({ model: 'm' }),
    metadata: schema,
    prepare: ({ metadata }) => void expectTypeOf(metadata.chatId).toEqualTypeOf<string>(),
    onRunEnd: ({ metadata }) => expectTypeOf(metadata.chatId).toEqualTypeOf<string>(),
  })
})
