// @vitest-environment happy-dom
import { createChatClient, type ChatClient } from '@midstream/client'
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream, type ScriptedUpstream } from '@midstream/core/testing'
import { act, cleanup, render, renderHook, screen, waitFor } from '@testing-library/react'
import { Profiler, StrictMode, useEffect, type ReactElement } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, expect, test, vi } from 'vitest'
import { useChatStream } from '../src/use-chat-stream.ts'

interface Setup {
  readonly client: ChatClient
  readonly upstream: ScriptedUpstream
  readonly requests: string[]
}

function setup(): Setup {
  const upstream = scriptedUpstream()
  const gateway = gatewayFetch(createGateway({ upstream, coalesce: { windowMs: 0 } }))
  const requests: string[] = []
  const fetch: typeof globalThis.fetch = (input, init) => {
    requests.push(`${init?.method ?? 'GET'} ${(input as string).replace(/run_\w+/, 'run')}`)
    return gateway(input, init)
  }
  return { client: createChatClient({ url: '/api/chat', fetch }), upstream, requests }
}

function Chat({ client }: { readonly client: ChatClient }): ReactElement {
  const { messages, status, send } = useChatStream({ client })
  return (
    <main>
      <p data-testid="status">{status}</p>
      <p data-testid="reply">{messages.at(-1)?.content}</p>
      <button onClick={() => void send('Hello')}>Send</button>
    </main>
  )
}
const reply = (): string | null => screen.getByTestId('reply').textContent
const press = (): void => act(() => screen.getByText('Send').click())

afterEach(() => {
  cleanup()
  vi.restoreAllMocks()
})

test('useChatStream: shows the answer as it grows', async () => {
  const { client, upstream } = setup()
  render(<Chat client={client} />)
  press()
  expect(screen.getByTestId('status').textContent).toBe('submitting')
  const run = await upstream.next()
  run.send('Hi')
  await waitFor(() => expect(reply()).toBe('Hi'))
  run.send(' there')
  run.finish()
  await waitFor(() => expect(screen.getByTestId('status').textContent).toBe('idle'))
  expect(reply()).toBe('Hi there')
})

test('useChatStream: StrictMode makes one request', async () => {
  const { client, upstream, requests } = setup()
  render(
    <StrictMode>
      <Chat client={client} />
    </StrictMode>,
  )
  expect(requests).toEqual([])
  press()
  const run = await upstream.next()
  run.send('Hi')
  run.finish()
  await waitFor(() => expect(reply()).toBe('Hi'))
  expect(requests).toEqual(['POST /api/chat'])
})

test('useChatStream: unmounting does not lose the answer', async () => {
  const { client, upstream } = setup()
  const first = render(<Chat client={client} />)
  press()
  const run = await upstream.next()
  run.send('One')
  await waitFor(() => expect(reply()).toBe('One'))
  first.unmount()
  run.send(', two')
  run.finish()
  await run.left
  render(<Chat client={client} />)
  await waitFor(() => expect(reply()).toBe('One, two'))
  expect(upstream.replies).toHaveLength(1)
})

test('useChatStream: the actions freeze, follow up, regenerate and clear', async () => {
  const { client, upstream, requests } = setup()
  const { result } = renderHook(() => useChatStream({ client }))
  act(() => void result.current.send('Hello'))
  const run = await upstream.next()
  run.send('Hi')
  await waitFor(() => expect(result.current.messages.at(-1)?.content).toBe('Hi'))
  await act(async () => void (await result.current.interrupt()))
  expect(result.current.messages.at(-1)).toMatchObject({ content: 'Hi', state: 'interrupted' })
  act(() => void result.current.regenerate())
  const second = await upstream.next()
  second.finish()
  await waitFor(() => expect(result.current.status).toBe('idle'))
  await act(() => result.current.clear())
  expect(result.current.messages).toEqual([])
  expect(requests[1]).toBe('POST /api/chat/runs/run/interrupt')
})

test('useChatStream: what it returns is the same object until something changes', () => {
  const { client } = setup()
  const { result, rerender } = renderHook(() => useChatStream({ client }))
  const before = result.current
  rerender()
  expect(result.current).toBe(before)
})

test('useChatStream: components that name one gateway share a conversation, other names do not', () => {
  vi.spyOn(globalThis, 'fetch').mockReturnValue(new Promise(() => undefined))
  const { result } = renderHook(() => [
    useChatStream({ url: '/api/a' }),
    useChatStream({ url: '/api/a' }),
    useChatStream({ url: '/api/a', session: 'other' }),
    useChatStream({ url: '/api/b' }),
  ])
  const shown = (): number[] => result.current.map(({ messages }) => messages.length)
  act(() => void result.current[0]!.send('Hello'))
  expect(shown()).toEqual([2, 2, 0, 0])
  act(() => void result.current[1]!.clear())
  expect(shown()).toEqual([0, 0, 0, 0])
})

test('useChatStream: the actions stay the same functions while the conversation changes', () => {
  const { client } = setup()
  const { result } = renderHook(() => useChatStream({ client }))
  const { send, interrupt } = result.current
  act(() => void send('Hello'))
  expect(result.current.messages).toHaveLength(2)
  expect(result.current).toMatchObject({ send, interrupt })
})

test('useChatStream: a burst of deltas is at most one commit an animation frame', async () => {
  const { client, upstream } = setup()
  const frames: FrameRequestCallback[] = []
  const real = { request: globalThis.requestAnimationFrame, cancel: globalThis.cancelAnimationFrame }
  globalThis.requestAnimationFrame = (callback) => frames.push(callback)
  globalThis.cancelAnimationFrame = () => undefined
  try {
    let commits = 0
    render(
      <Profiler id="chat" onRender={() => void (commits += 1)}>
        <Chat client={client} />
      </Profiler>,
    )
    press()
    const run = await upstream.next()
    // From here on nothing but animation frames may make React work.
    const before = commits
    for (const letter of 'abcdefghij') run.send(letter)
    await waitFor(() => expect(frames).toHaveLength(1))
    expect(commits).toBe(before)
    act(() => frames.splice(0).forEach((paint) => paint(0)))
    expect(commits).toBe(before + 1)
    run.send('k')
    await waitFor(() => expect(frames).toHaveLength(1))
    act(() => frames.splice(0).forEach((paint) => paint(0)))
    expect(commits).toBe(before + 2)
  } finally {
    globalThis.requestAnimationFrame = real.request
    globalThis.cancelAnimationFrame = real.cancel
    await client.session().clear()
  }
})

test('useChatStream: a server renders the empty conversation, and the page takes it over without a mismatch', async () => {
  const { client } = setup()
  const html = renderToString(<Chat client={client} />)
  expect(html).toContain('idle')
  const container = document.createElement('div')
  container.innerHTML = html
  const mismatches: unknown[] = []
  await act(async () =>
    hydrateRoot(container, <Chat client={client} />, { onRecoverableError: (error) => mismatches.push(error) }),
  )
  expect(mismatches).toEqual([])
  expect(container.querySelector('[data-testid=status]')?.textContent).toBe('idle')
})

test('useChatStream: a client that is made in each render is told of, whether or not a render is committed', () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const { result, rerender } = renderHook(() => useChatStream({ client: createChatClient({ url: '/api/chat' }) }))
  expect(result.current.status).toBe('idle')
  for (let n = 0; n < 5; n++) rerender()
  const words = told.mock.calls.map(([first]) => String(first)).filter((first) => first.includes('another client'))
  expect(words).toHaveLength(1)
})

test('useChatStream: of a session that was closed it shows the next one of its name, and follows that', async () => {
  const { client, upstream } = setup()
  render(<Chat client={client} />)
  press()
  ;(await upstream.next()).send('Hi')
  await waitFor(() => expect(reply()).toBe('Hi'))
  act(() => client.session().close())
  expect(screen.getByTestId('status').textContent).toBe('idle')
  expect(reply()).toBe('')
  press()
  ;(await upstream.next()).send('Again')
  await waitFor(() => expect(reply()).toBe('Again'))
  client.close()
})

test('useChatStream: of a client that is closed it shows what was there, says so, and throws in no render', async () => {
  const { client, upstream } = setup()
  const view = render(<Chat client={client} />)
  press()
  ;(await upstream.next()).send('Hi')
  await waitFor(() => expect(reply()).toBe('Hi'))
  act(() => client.close())
  expect([screen.getByTestId('status').textContent, reply()]).toEqual(['error', 'Hi'])
  view.unmount()
  const { result } = renderHook(() => useChatStream({ client, session: 'another' }), { wrapper: StrictMode })
  expect(result.current).toMatchObject({ status: 'error', error: { code: 'closed' }, messages: [] })
  expect(() => result.current.send('Hello')).toThrow('is closed')
})

test('useChatStream: a client that an effect closes, twice in StrictMode, is closed, and throws in no render', () => {
  const { client } = setup()
  const { result } = renderHook(
    () => {
      useEffect(() => () => client.close(), [])
      return useChatStream({ client })
    },
    { wrapper: StrictMode },
  )
  expect(result.current).toMatchObject({
    status: 'error',
    error: { code: 'closed', message: expect.any(String) as string },
  })
})

test('useChatStream: of the clients that it makes, it holds those that are shown, and the 32 that were asked for last', () => {
  vi.spyOn(globalThis, 'fetch').mockReturnValue(new Promise(() => undefined))
  const open = (url: string): ReturnType<typeof renderHook<ReturnType<typeof useChatStream>, unknown>> =>
    renderHook(() => useChatStream({ url }))
  const shown = open('/many/shown')
  act(() => void shown.result.current.send('Hello'))
  const left = open('/many/left')
  act(() => void left.result.current.send('Hello'))
  left.unmount()
  const messagesAt = (url: string): number => {
    const { result, unmount } = open(url)
    const { length } = result.current.messages
    unmount()
    return length
  }
  for (let n = 0; n < 20; n++) messagesAt(`/many/${n}`)
  expect(messagesAt('/many/left')).toBe(2)
  for (let n = 0; n < 200; n++) messagesAt(`/many/${n}`)
  expect(messagesAt('/many/left')).toBe(0)
  shown.rerender()
  expect(shown.result.current.messages).toHaveLength(2)
  expect(messagesAt('/many/shown')).toBe(2)
})

test('useChatStream: more gateways than it holds can be shown at once, and each keeps its conversation', () => {
  vi.spyOn(globalThis, 'fetch').mockReturnValue(new Promise(() => undefined))
  const urls = Array.from({ length: 50 }, (_, n) => `/at-once/${n}`)
  const { result, rerender } = renderHook(() => urls.map((url) => useChatStream({ url })))
  rerender()
  for (const { send } of result.current) act(() => void send('Hello'))
  rerender()
  expect(result.current.map(({ messages }) => messages.length)).toEqual(urls.map(() => 2))
})
