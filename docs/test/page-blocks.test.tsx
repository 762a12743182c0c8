// @vitest-environment happy-dom
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream } from '@midstream/core/testing'
import { markdownFiles } from '@midstream/test-support/markdown-blocks'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { pathToFileURL } from 'node:url'
import { basename } from 'node:path'
import type { ComponentType } from 'react'
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
    const input = screen.getByLabelText('Message')
    fireEvent.change(input, { target: { value: 'Hello' } })
    fireEvent.submit(input.closest('form')!)
    const run = await upstream.next()
    run.send('Once upon')
    await waitFor(() => expect(screen.getByText('Once upon').className).toBe('streaming'))
    fireEvent.click(screen.getByText(interrupt))
    expect(screen.getByText('Once upon').className).toBe('interrupted')
    await run.left
    expect(run.signal.aborted).toBe(true)
  },
)
