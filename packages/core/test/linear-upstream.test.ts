import { checkLinear, createCounter } from '@midstream/test-support/operations'
import { expect, test } from 'vitest'
import type { ChatTurn } from '../src/wire/messages.ts'
import type { SeamOptions } from '../src/upstream/reply/seam.ts'

/**
 * Hostile, but valid: every parser and normaliser of what goes up and comes down, with the largest input that is let in.
 * Half of it must take about half of the work; what is quadratic stops the gateway's one thread. Sources are imported once
 * the counter counts.
 */
const counter = createCounter()
const { createSeam } = await import('../src/upstream/reply/seam.ts')
const { createThinkTags, withoutThinkTags } = await import('../src/upstream/reply/think-tags.ts')
const { normaliseHistory } = await import('../src/upstream/history/history.ts')
const { continuationPoint } = await import('../src/upstream/history/continuation.ts')
const { anthropicMessages } = await import('../src/upstream/anthropic/messages.ts')
const { openAiMessages } = await import('../src/upstream/openai/messages.ts')
const { openAiQuestion } = await import('../src/upstream/openai/body.ts')
const { ollamaQuestion } = await import('../src/upstream/ollama/body.ts')
const { dialects } = await import('../src/upstream/openai/dialects.ts')
const { createOpenAiDecoder } = await import('../src/upstream/openai/decoder.ts')
const { createAnthropicDecoder } = await import('../src/upstream/anthropic/decoder.ts')
const { createOllamaDecoder } = await import('../src/upstream/ollama/decoder.ts')
const { lookAtModels } = await import('../src/upstream/reply/residency.ts')

const mib = 1_048_576
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: Math.floor(count) }, (_, i) => make(i))
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const linear = (name: string, largest: number, make: (size: number) => () => unknown): void =>
  test(`linear: ${name}`, { timeout: 60_000 }, () => checkLinear(counter, largest, make))

test('linear: the counter sees loops, and what is copied by the platform', async () => {
  expect(() => {
    checkLinear(counter, 16_000, (size) => () => {
      let all: number[] = []
      for (let i = 0; i < size; i++) all = all.concat(i)
    })
  }).toThrow('more than twice the work')
  // Each of so many waits looks at all models: quadratic if both grow.
  const { sameModel } = await import('../src/upstream/reply/residency.ts')
  expect(() => {
    checkLinear(counter, 2_000, (size) => () => times(size, () => times(size, (i) => sameModel('m', `m${i}`))))
  }).toThrow('more than twice the work')
})

const seams: readonly (readonly [string, SeamOptions['copies'], (size: number) => string, (size: number) => string])[] =
  [
    ['one letter', 'overlap', (n) => 'a'.repeat(n), (n) => 'a'.repeat(n / 2)],
    [
      'a copy that breaks off again and again',
      'overlap',
      (n) => `${'a'.repeat(99)}b`.repeat(n / 100),
      (n) => 'a'.repeat(n),
    ],
    [
      'the longest copy breaks off at its end',
      'overlap',
      (n) => 'ab'.repeat(n / 2),
      (n) => `${'ab'.repeat(n / 2 - 1)}aX`,
    ],
    ['an echo', 'always', (n) => 'word '.repeat(n / 5).trim(), (n) => `${'word '.repeat(n / 5).trim()} end`],
    ['white space and nothing else', 'maybe', (n) => 'a'.repeat(n), (n) => ' '.repeat(n)],
  ]
for (const [name, copies, partial, reply] of seams) {
  linear(`seam: ${name}, in deltas of four letters`, mib / 4, (size) => {
    const sent = partial(size)
    const text = reply(size)
    const deltas = times(size / 4, (i) => [{ message: text.slice(i * 4, i * 4 + 4) }])
    return () => {
      const seam = createSeam({ sent, tail: ' '.repeat(99), copies })
      return [deltas.map((delta) => seam.push(delta)), seam.end()]
    }
  })
}

const tagged: readonly (readonly [string, (size: number) => string])[] = [
  ['thinking that never ends', (n) => `<think>${'a<'.repeat(n / 2)}`],
  ['pair after pair', (n) => '<think>a</think> '.repeat(n / 17)],
  ['white space behind thinking', (n) => `<think>a</think>${' '.repeat(n)}`],
  ['white space in front', (n) => ' '.repeat(n)],
]
for (const [name, reply] of tagged) {
  linear(`think tags: ${name}, in deltas of four letters and in one`, mib / 4, (size) => {
    const text = reply(size)
    const deltas = times(text.length / 4, (i) => [{ message: text.slice(i * 4, i * 4 + 4) }])
    return () => {
      const stage = createThinkTags(true)
      const told = [deltas.map((delta) => stage.push(delta)), stage.end()]
      return [
        told,
        createThinkTags().push([{ message: text }]),
        withoutThinkTags([{ role: 'assistant', content: text }]),
      ]
    }
  })
}

const turn = (role: ChatTurn['role'], content: string, more: Partial<ChatTurn> = {}): ChatTurn => ({
  role,
  content,
  ...more,
})
const calls = (count: number, id: (i: number) => string): ChatTurn =>
  turn('assistant', '', { tool_calls: times(count, (i) => ({ id: id(i), name: 'f', arguments: {} })) })
/** Of a size in characters, as bodies are bounded by it. */
const histories: readonly (readonly [string, number, (size: number) => ChatTurn[]])[] = [
  ['a thousand neighbours of one role', mib, (n) => times(1_000, () => turn('user', 'x'.repeat(n / 1_000)))],
  [
    'more messages than are let in, each of a letter',
    4_000,
    (n) => times(n, (i) => turn(i % 2 ? 'user' : 'assistant', 'x')),
  ],
  [
    'replies without text, thinking and interrupted',
    4_000,
    (n) => times(n, () => turn('assistant', 'x', { thinking: 't', interrupted: true })),
  ],
  [
    'calls whose ids all become one',
    8_000,
    (n) => [
      calls(n, (i) => '.:'.repeat(9).slice(i % 9) + String.fromCharCode(0x4e00 + (i % 20_000))),
      turn('tool', 'r', { tool_call_id: '.' }),
    ],
  ],
  [
    'calls whose ids are taken',
    8_000,
    (n) => [calls(n / 2, (i) => `a_${i}`), calls(n / 2, (i) => `a${'.'.repeat(1 + (i % 5))}${i}`)],
  ],
  [
    'a call, its result, a call',
    4_000,
    (n) => times(n, (i) => (i % 2 ? turn('tool', 'r', { tool_call_id: `c${i - 1}` }) : calls(1, () => `c${i}`))),
  ],
  [
    'calls of one id in one reply, in all replies, and results for none',
    4_000,
    (n) => [
      calls(n / 2, () => 'c'),
      ...times(n / 4, (i) => turn('assistant', '', { tool_calls: [{ id: 'c', name: `f${i}`, arguments: {} }] })),
      ...times(n / 4, () => turn('tool', 'r', { tool_call_id: 'c' })),
    ],
  ],
  ['results that nobody called for', 4_000, (n) => times(n, (i) => turn('tool', 'r', { tool_call_id: `c${i}` }))],
  ['system messages everywhere', 4_000, (n) => times(n, (i) => turn(i % 2 ? 'system' : 'user', 'x'))],
]
for (const [name, largest, make] of histories) {
  linear(`history: ${name}, of any server`, largest, (size) => {
    const messages = make(size)
    const request = { model: 'm', messages, prefill: 'x', interruptedNote: 'cut', tools: [{ name: 'f' }] }
    return () => {
      normaliseHistory(messages, 'cut', { thinking: 'keep' })
      anthropicMessages(messages, 'cut')
      ollamaQuestion(request, 'native', 'go on')
      for (const dialect of [dialects.llamacpp, dialects.deepseek, dialects.mistral]) {
        openAiMessages(messages, 'cut', dialect.history)
        openAiQuestion(request, dialect, { way: 'native', instruction: 'go on', extra: {} })
      }
    }
  })
}

test('history: ids that are too short for all calls are still told apart, and it ends', () => {
  const messages = openAiMessages([calls(100, (i) => `call.${i}`), turn('user', 'x')], null, { callIdChars: 1 })
  const ids = messages.flatMap(({ tool_calls: made = [] }) => (made as { id: string }[]).map(({ id }) => id))
  expect(new Set(ids).size).toBe(100)
})

linear('continuation: delta ends in one long white space', 4 * mib, (size) => {
  const content = `a${' '.repeat(size)}b`
  const ends = times(64, (i) => content.length - 65 + i)
  return () => continuationPoint(content, ends)
})
linear('continuation: white space and halves of pairs at the end', mib, (size) => {
  const content = ' \ud83d'.repeat(size / 2)
  return () => continuationPoint(content, undefined)
})

const sse = (data: unknown): string => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
const delta = (more: object): string => sse({ choices: [{ index: 0, delta: more }] })
const fragment = (index: number, more: object): string => delta({ tool_calls: [{ index, ...more }] })
const begun = (index: number): string => fragment(index, { id: `c${index}`, function: { name: 'f', arguments: '' } })
const done = sse({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
/** A body, and what decodes it. Sizes in frames, as many as 4 MiB of reply or 1 MiB of calls may be. */
const bodies: readonly (readonly [string, number, 'openai' | 'anthropic' | 'ollama', (size: number) => string])[] = [
  ['text in single letters', 4_000, 'openai', (n) => delta({ content: 'x' }).repeat(n) + done],
  [
    'text and thinking in turn',
    4_000,
    'openai',
    (n) => (delta({ content: 'x' }) + delta({ reasoning: 'y' })).repeat(n) + done,
  ],
  [
    'one call in single letters',
    4_000,
    'openai',
    (n) => begun(0) + fragment(0, { function: { arguments: ' ' } }).repeat(n) + done,
  ],
  [
    'one call with another field in each fragment',
    2_000,
    'openai',
    (n) => begun(0) + times(n, (i) => fragment(0, { [`k${i}`]: 1, function: { arguments: ' ' } })).join('') + done,
  ],
  [
    'calls that take turns',
    8_000,
    'openai',
    (n) =>
      times(n / 8, begun).join('') +
      times(n, (i) => fragment(i % Math.floor(n / 8), { function: { arguments: ' ' } })).join('') +
      done,
  ],
  [
    'calls that take turns by their ids',
    8_000,
    'openai',
    (n) =>
      times(n / 8, begun).join('') +
      times(n, (i) => delta({ tool_calls: [{ id: `c${i % Math.floor(n / 8)}`, function: { arguments: ' ' } }] })).join(
        '',
      ) +
      done,
  ],
  [
    'one call whose name comes with each fragment',
    4_000,
    'openai',
    (n) => begun(0) + fragment(0, { id: 'c0', function: { name: 'f', arguments: '[' } }).repeat(n) + done,
  ],
  ['one frame of a MiB', mib, 'openai', (n) => delta({ content: 'x'.repeat(n) })],
  [
    'many choices',
    8_000,
    'openai',
    (n) => sse({ choices: times(n, (i) => ({ index: n - i, delta: { content: 'x' } })) }),
  ],
  ['many parts', 4_000, 'openai', (n) => delta({ content: times(n, () => ({ type: 'text', text: 'x' })) })],
  [
    'an error as long as a frame',
    mib,
    'openai',
    (n) => sse({ error: { message: 'enginebadrequest '.repeat(n / 17) } }),
  ],
  [
    'usage with every frame',
    4_000,
    'openai',
    (n) => times(n, (i) => sse({ choices: [], usage: { prompt_tokens: 1, completion_tokens: i } })).join(''),
  ],
  ['frames that are none', 4_000, 'openai', (n) => 'data: {\n\n: x\n\n'.repeat(n)],
  [
    'blocks without text',
    4_000,
    'anthropic',
    (n) =>
      times(
        n,
        (index) =>
          sse({
            type: 'content_block_start',
            index,
            content_block: { type: 'tool_use', id: `c${index}`, name: 'f', input: {} },
          }) + sse({ type: 'content_block_stop', index }),
      ).join(''),
  ],
  [
    'blocks that never stop',
    4_000,
    'anthropic',
    (n) =>
      times(n, (index) =>
        sse({ type: 'content_block_start', index, content_block: { type: 'tool_use', id: `c${index}`, name: 'f' } }),
      ).join('') + sse({ type: 'message_delta', delta: { stop_reason: 'tool_use' } }),
  ],
  [
    'one call in single letters',
    4_000,
    'anthropic',
    (n) =>
      sse({ type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 'c', name: 'f' } }) +
      sse({ type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: ' ' } }).repeat(n) +
      sse({ type: 'content_block_stop', index: 0 }),
  ],
  [
    'text in single letters',
    4_000,
    'anthropic',
    (n) => sse({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x' } }).repeat(n),
  ],
  [
    'a usage that counts something else each time',
    2_000,
    'anthropic',
    (n) => times(n, (i) => sse({ type: 'message_delta', delta: {}, usage: { [`k${i}`]: 1 } })).join(''),
  ],
  ['lines of one letter', 4_000, 'ollama', (n) => '{"message":{"content":"x"}}\n'.repeat(n)],
  [
    'lines with many calls',
    8_000,
    'ollama',
    (n) => JSON.stringify({ message: { tool_calls: times(n, () => ({ function: { name: 'f', arguments: {} } })) } }),
  ],
]
for (const [name, largest, kind, make] of bodies) {
  linear(`decoder of ${kind}: ${name}, in reads of 64 bytes`, largest, (size) => {
    const body = bytes(make(size))
    const reads = times(body.length / 64 + 1, (i) => body.subarray(i * 64, i * 64 + 64))
    const decoders = { openai: createOpenAiDecoder, anthropic: createAnthropicDecoder, ollama: createOllamaDecoder }
    return () => {
      const decoder = decoders[kind]({ from: 'a server' })
      return [reads.map((read) => decoder.push(read)), decoder.end()]
    }
  })
}

test('linear: models are looked up, and not looked through, for each run that waits', async () => {
  const seen = async (size: number): Promise<() => unknown> => {
    const models = times(size, (i) => ({ name: `m${i}`, key: `m${i}`, size: 1, loaded_instances: [{ id: `i${i}` }] }))
    const both = [
      await lookAtModels('ollama', async () => ({ models })),
      await lookAtModels('lmstudio', async () => ({ models })),
    ]
    return () => both.map((look) => times(1_000, () => look(`m${size - 1}`)))
  }
  const looks = new Map(
    await Promise.all([8, 250, 500, 32, 1_000, 2_000].map(async (size) => [size, await seen(size)] as const)),
  )
  checkLinear(counter, 2_000, (size) => looks.get(size)!)
})

linear('the continuation point of white space without end, and of one long word', mib, (size) => {
  const [space, word] = [' '.repeat(size), `${'a'.repeat(size)}.`]
  return () => [
    continuationPoint(space, [5]),
    continuationPoint(space, undefined),
    continuationPoint(word, undefined),
    continuationPoint(word, [5]),
  ]
})
