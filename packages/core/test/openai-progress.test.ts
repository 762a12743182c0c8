import { expect, test } from 'vitest'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import { createSeam } from '../src/upstream/reply/seam.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { utf8 } from './support/bytes.ts'
import { openAiRecording } from './support/openai-recordings.ts'
import { bodyOf } from './support/replay-server.ts'

function decode(pieces: readonly Uint8Array[]): UpstreamEvent[] {
  const decoder = createOpenAiDecoder()
  return [...pieces.flatMap((piece) => decoder.push(piece)), ...decoder.end()]
}
/** Frame by frame, each a read of its own; signs of life left out. */
const decodeText = (body: string): UpstreamEvent[] =>
  decode(body.split(/(?<=\n\n)/).map(utf8)).filter((event) => !('alive' in event))
const frame = (chunk: unknown): string => `data: ${JSON.stringify(chunk)}\n\n`
const chunk = (delta: unknown, finish: string | null = null, more: object = {}): string =>
  frame({ choices: [{ index: 0, delta, finish_reason: finish }], ...more })
const call = (index: number, args: string): string =>
  chunk({ tool_calls: [{ index, id: `call${index}`, function: { name: 'f', arguments: args } }] })
const prompt = (processed: number): string => chunk({}, null, { prompt_progress: { total: 9, cache: 0, processed } })

test('openai: llama.cpp tells how much of the prompt it has read, as recorded', () => {
  const body = bodyOf(openAiRecording('llama-v1-progress')).toString()
  const progress = decodeText(body).filter((event) => 'progress' in event)
  const total = 5783
  expect(progress).toEqual([0, 2048, 4096, 5783].map((done) => ({ progress: { stage: 'prompt', done, total } })))
})

test('openai: the same figures again are only a sign of life', () => {
  const decoder = createOpenAiDecoder()
  const at = (done: number): UpstreamEvent => ({ progress: { stage: 'prompt', done, total: 9 } })
  expect([3, 3, 9].map((done) => decoder.push(utf8(prompt(done))))).toEqual([
    [{ alive: true }, at(3)],
    [{ alive: true }],
    [{ alive: true }, at(9)],
  ])
})

test('openai: of many figures in one read, the last are told, behind its text', () => {
  const used = (completion_tokens: number): object => ({ usage: { prompt_tokens: 3, completion_tokens } })
  const body = chunk({ content: 'a' }, null, used(1)) + chunk({ content: 'b' }, null, used(2)) + prompt(4) + prompt(5)
  expect(decode([utf8(body)])).toEqual([
    { message: 'a' },
    { message: 'b' },
    { alive: true },
    { alive: true },
    { progress: { stage: 'prompt', done: 5, total: 9 } },
    used(2),
  ])
})

test('openai: a tool call grows in characters, over all calls, and is given once', () => {
  const body = call(0, '') + call(0, '{"x"') + call(0, '') + call(0, ':1}') + call(1, '{}') + chunk({}, 'tool_calls')
  const at = (done: number): UpstreamEvent => ({ progress: { stage: 'tool_call', done } })
  expect(decodeText(body)).toEqual([
    at(0),
    at(4),
    at(7),
    at(9),
    { tool_call: { id: 'call0', name: 'f', arguments: { x: 1 } } },
    { tool_call: { id: 'call1', name: 'f', arguments: {} } },
    { finish: 'tool_calls' },
  ])
})

test('openai: timings with every token are its usage so far, as recorded, and the finish has the last', () => {
  const events = decodeText(bodyOf(openAiRecording('llama-v1-timings-per-token')).toString())
  const usage = events.flatMap((event) => ('usage' in event && !('finish' in event) ? [event.usage] : []))
  expect(usage).toEqual(Array.from({ length: 10 }, (_, n) => ({ prompt_tokens: 6, completion_tokens: n + 1 })))
  expect(events.at(-1)).toEqual({ finish: 'length', usage: usage.at(-1) })
})

test('openai: usage in a chunk is told when it has changed, and not behind the finish', () => {
  const used = (prompt_tokens: number, completion_tokens?: number): object => ({
    usage: { prompt_tokens, ...(completion_tokens !== undefined && { completion_tokens }) },
  })
  const body =
    chunk({ role: 'assistant' }, null, used(3)) +
    chunk({ content: 'a' }, null, used(3, 1)) +
    chunk({ content: 'b' }, null, used(3, 1)) +
    chunk({}, 'stop', used(3, 2)) +
    frame({ choices: [], ...used(3, 3) })
  expect(decodeText(body)).toEqual([
    { usage: { prompt_tokens: 3 } },
    { message: 'a' },
    { usage: { prompt_tokens: 3, completion_tokens: 1 } },
    { message: 'b' },
    { finish: 'stop', usage: { prompt_tokens: 3, completion_tokens: 3 } },
  ])
})

test('openai: LM Studio tells by a fraction how far it has come', () => {
  const event = (type: string, more: object = {}): string => `event: ${type}\n${frame({ type, ...more })}`
  expect(
    decodeText(
      event('model_load.start') +
        event('model_load.progress', { progress: 0.5 }) +
        event('prompt_processing.progress', { progress: 0.25 }) +
        event('prompt_processing.progress', { progress: 'x' }),
    ),
  ).toEqual([
    { progress: { stage: 'loading', done: 0.5, total: 1 } },
    { progress: { stage: 'prompt', done: 0.25, total: 1 } },
  ])
})

test('seam: progress and usage pass at once, also while text is held back, and settle nothing', () => {
  const seam = createSeam({ sent: 'There was once a fox', tail: '', copies: 'always' })
  const progress: UpstreamEvent = { progress: { stage: 'prompt', done: 1, total: 2 } }
  const usage: UpstreamEvent = { usage: { prompt_tokens: 1, completion_tokens: 2 } }
  expect(seam.push([progress, { message: 'There was' }, usage])).toEqual([progress, { alive: true }, usage])
  expect(seam.push([{ message: ' once a fox called' }, usage])).toEqual([{ message: ' called' }, usage])
  expect(seam.push([usage, progress, { message: ' Eva' }])).toEqual([usage, progress, { message: ' Eva' }])
})
