// @vitest-environment happy-dom
import { ChatError } from '@midstream/core'
import { createGateway } from '@midstream/core/gateway'
import { faultyFetch, gatewayFetch, scriptedUpstream, type FetchFaultPlan } from '@midstream/core/testing'
import { markdownFiles } from '@midstream/test-support/markdown-blocks'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { pathToFileURL } from 'node:url'
import { basename } from 'node:path'
import type { ComponentType, ReactNode } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { isTyped, root, writeBlocks } from './support/block-folder.ts'

const written = await writeBlocks(markdownFiles(root), 'page', (block) => isTyped(block) && block.lang === 'tsx')
const pages = [...written].flatMap(([file, paths]) => paths.map((path) => [file, basename(path), path] as const))
/** The button that cuts in, in the languages of the pages. */
const interrupt = /^(Interrupt|打断)$/

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
  vi.resetModules() // the next page gets a client of its own
})

test('markdown: there are pages to try', () => expect(pages.length).toBeGreaterThan(4))

test.each(pages)(
  '%s: %s renders; a chat asks, shows the answer as it grows, and interrupts it',
  async (_file, _name, path) => {
    const upstream = scriptedUpstream()
    vi.stubGlobal('fetch', gatewayFetch(createGateway({ upstream })))
    const exported = (await import(pathToFileURL(path).href)) as Readonly<Record<string, ComponentType>>
    const [name, Page] = Object.entries(exported)[0]!
    render(<Page />)
    if (name !== 'Chat') return
    const input = screen.getByLabelText<HTMLInputElement>('Message')
    // A browser says so itself, and sends nothing: a blank text would throw.
    fireEvent.change(input, { target: { value: '  ' } })
    expect(input.checkValidity()).toBe(false)
    fireEvent.change(input, { target: { value: ' Hello  you ' } })
    expect(input.checkValidity()).toBe(true)
    fireEvent.change(input, { target: { value: 'Hello' } })
    fireEvent.submit(input.closest('form')!)
    expect(input.value).toBe('')
    const run = await upstream.next()
    expect(run.request.messages).toEqual([{ role: 'user', content: 'Hello' }])
    run.send('Once upon')
    await waitFor(() => expect(screen.getByText('Once upon').className).toBe('streaming'))
    fireEvent.click(screen.getByText(interrupt))
    expect(screen.getByText('Once upon').className).toBe('interrupted')
    await run.left
    expect(run.signal.aborted).toBe(true)
  },
)

const statusLine = pages.find(([, name]) => name === 'status-line.tsx')![2]

/** The line of docs/guide/react.md, over a conversation in which something has been said. */
async function sayOver(plan: FetchFaultPlan) {
  const upstream = scriptedUpstream()
  vi.stubGlobal('fetch', faultyFetch(gatewayFetch(createGateway({ upstream })), plan))
  const { StatusLine } = (await import(pathToFileURL(statusLine).href)) as Readonly<Record<string, ComponentType>>
  const { useChatStream } = await import('@midstream/react')
  const Asks = (): ReactNode => {
    const { send, clear } = useChatStream({ url: '/api/chat' })
    return [
      <button key="ask" onClick={() => void send('Hello')}>
        Ask
      </button>,
      <button key="clear" onClick={() => void clear()}>
        Clear
      </button>,
    ]
  }
  const Line = StatusLine!
  const { container } = render([<Line key="line" />, <Asks key="asks" />])
  const line = (): string | null | undefined => container.querySelector('p')?.textContent
  expect(line()).toBe('')
  fireEvent.click(screen.getByText('Ask'))
  const shows = (text: RegExp): Promise<void> => waitFor(() => expect(line()).toMatch(text))
  return { upstream, shows, clear: () => fireEvent.click(screen.getByText('Clear')) }
}

test('docs/guide/react.md: the status line says what a run is at: it waits, loads, went away, writes', async () => {
  const { upstream, shows, clear } = await sayOver(() => undefined)
  const run = await upstream.next()
  await shows(/^Thinking/)
  run.send({ progress: { stage: 'loading' } })
  await shows(/being loaded/)
  run.fail(new ChatError('upstream_unreachable', 'It is gone.', { retryable: true }))
  await shows(/model went away/)
  const again = await upstream.next()
  again.send('Once upon')
  await shows(/^$/)
  clear()
  await again.left
})

test('docs/guide/react.md: the status line says that the connection is lost, with the attempt', async () => {
  const { upstream, shows, clear } = await sayOver((index) => (index === 0 ? { cutAt: 250 } : { answer: 'refused' }))
  const run = await upstream.next()
  run.send('Once upon a time there lived a fox. '.repeat(10))
  await shows(/^Connection lost, attempt \d/)
  clear()
})

test('docs/guide/react.md: the status line says what went wrong', async () => {
  const { upstream, shows } = await sayOver(() => undefined)
  const run = await upstream.next()
  run.send({ error: new ChatError('upstream_rejected', 'The model server refused.') })
  await shows(/^The model server refused\.$/)
  expect(screen.getByRole('alert').textContent).toBe('The model server refused.')
})
