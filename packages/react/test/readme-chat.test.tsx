// @vitest-environment happy-dom
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream } from '@midstream/core/testing'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import type { ComponentType } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { importBlock } from './readme-blocks.ts'

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

test('README: the ten-line page asks, shows the answer as it grows, and interrupts it', async () => {
  const upstream = scriptedUpstream()
  vi.stubGlobal('fetch', gatewayFetch(createGateway({ upstream })))
  const Chat = (await importBlock('chat.tsx'))['Chat'] as ComponentType
  render(<Chat />)
  fireEvent.change(screen.getByLabelText('Message'), { target: { value: 'Hello' } })
  fireEvent.submit(screen.getByLabelText('Message').closest('form')!)
  const run = await upstream.next()
  run.send('Once upon')
  await waitFor(() => expect(screen.getByText('Once upon').className).toBe('streaming'))
  fireEvent.click(screen.getByText('Interrupt'))
  expect(screen.getByText('Once upon').className).toBe('interrupted')
  await run.left
  expect(run.signal.aborted).toBe(true)
})
