import { expect, onTestFinished } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions, type Identity } from '../../src/gateway/index.ts'
import {
  manualClock,
  scriptedUpstream,
  type ManualClock,
  type ScriptedReply,
  type ScriptedUpstream,
} from '../../src/testing/index.ts'
import { frameReader, textOf, type FrameReader, type WireEvent } from './frames.ts'

export const origin = 'http://gateway.test'

export interface Started {
  readonly response: Response
  readonly frames: FrameReader
  /** The first frame. */
  readonly first: WireEvent
  readonly runId: string
  readonly sessionId: string
  readonly reply: ScriptedReply
}
export interface Bench {
  readonly clock: ManualClock
  readonly upstream: ScriptedUpstream
  readonly gateway: Gateway
  call(path: string, init?: RequestInit): Promise<Response>
  post(body: unknown, init?: RequestInit): Promise<Response>
  /** POSTs, reads the first frame, and takes the upstream's side of it. */
  start(body?: Record<string, unknown>, init?: RequestInit): Promise<Started>
  interrupt(runId: string, body?: BodyInit | null, init?: RequestInit): Promise<Response>
}

export function bench<Metadata = Readonly<Record<string, unknown>> | undefined>(
  options: Partial<GatewayOptions<Identity, Metadata>> = {},
): Bench {
  const clock = manualClock(1_000)
  const upstream = scriptedUpstream()
  // What one attempt is worth; that a failed one is repeated is tested elsewhere.
  // Time passes here while nobody looks at a body: that is no client that reads nothing.
  const limits = { unreadMs: Infinity, ...options.limits }
  const gateway = createGateway({ upstream, clock, recovery: false, ...options, limits })
  onTestFinished(() => gateway.close())
  const call: Bench['call'] = (path, init) => gateway(new Request(`${origin}/api/chat${path}`, init))
  const post: Bench['post'] = (body, init) => call('', { method: 'POST', body: JSON.stringify(body), ...init })
  return {
    clock,
    upstream,
    gateway,
    call,
    post,
    async start(body = ask('Hello'), init) {
      const response = await post(body, init)
      const frames = frameReader(response.body)
      const first = (await frames.next())?.event ?? {}
      const { session_id: sessionId = '', run_id: runId = '' } = first
      return { response, frames, first, runId, sessionId, reply: await upstream.next() }
    },
    interrupt: (runId, body = null, init) => call(`/runs/${runId}/interrupt`, { method: 'POST', body, ...init }),
  }
}

export const ask = (...contents: string[]): { messages: { role: string; content: string }[] } => ({
  messages: contents.map((content, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content })),
})
export const json = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown>
/** Status and code of an error as it must look everywhere. */
export async function failure(response: Response): Promise<[number, string]> {
  const { error, ...rest } = (await json(response)) as {
    error: { code: string; message: string; retryable: boolean; limits?: object }
  }
  const isTooMuch = error.code === 'too_large' || error.code === 'too_many_messages'
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect({ error, rest }).toEqual({
    error: {
      code: expect.stringMatching(/^[a-z_]+$/),
      message: expect.stringMatching(/\.$/),
      retryable: expect.any(Boolean),
      ...(isTooMuch && { limits: { messages: expect.any(Number), body_bytes: expect.any(Number) } }),
    },
    rest: {},
  })
  return [response.status, error.code]
}
export const isText = (event: WireEvent): boolean => event.message !== undefined
export const isDone = (event: WireEvent): boolean => event.done === true
/** Text of a run as a new reader gets it. */
export async function replayed(
  { call }: Bench,
  runId: string,
  init?: RequestInit,
): Promise<{ text: string; terminal: WireEvent | undefined }> {
  const frames = await frameReader((await call(`/runs/${runId}`, init)).body).rest()
  return { text: textOf(frames), terminal: frames.at(-1)?.event }
}
