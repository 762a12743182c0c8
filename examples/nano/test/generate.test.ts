import { expect, test } from 'vitest'
import { generate, type EndReason, type GenerateOptions, type Message } from '../src/index.ts'
import { createPrefixCache } from '../src/model/prefix-cache.ts'
import { expected, expectedCase, expectedText, loadModel, present } from './support.ts'

const model = loadModel()

function say(
  messages: readonly Message[],
  options: GenerateOptions,
): { text: string; reason: EndReason; prompted: number } {
  let text = ''
  let prompted = 0
  const pieces = generate(model, messages, options)
  for (;;) {
    const piece = pieces.next()
    if (piece.done === true) return { text, reason: piece.value, prompted }
    if (piece.value.type === 'token') text += piece.value.text
    else prompted++
  }
}

/** The random numbers that the expected texts were made with. */
function createExpectedRandom(): () => number {
  let state = 7
  return () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648
}

test.each(expected)('generate: says $name to the letter', ({ messages, options, text, reason }) => {
  const { seeded, ...rest } = options
  const random = seeded === true ? { random: createExpectedRandom() } : {}
  expect(say(messages, { temperature: 0, ...rest, ...random })).toMatchObject({ text, reason })
})

test('generate: a story cut at any character goes on as it would have', () => {
  const question = { role: 'user', content: 'Tell me a story about a fox' }
  const story = expectedText('a story')
  for (let cut = 96; cut < 116; cut++) {
    const partial = { role: 'assistant', content: story.slice(0, cut) }
    const { text } = say([question, partial], { temperature: 0, maxTokens: 12 })
    expect(text, `cut at ${cut}`).toBe(story.slice(cut, cut + text.length))
    expect(text.length, `cut at ${cut}`).toBeGreaterThan(20)
  }
})

test('generate: a follow-up with a prefix cache reads less and says the same', () => {
  const cache = createPrefixCache(() => model.createMemory(), 2)
  const memories: ReturnType<typeof cache.take>[] = []
  const openMemory = (prompt: readonly number[]) => {
    const memory = cache.take(prompt)
    memories.push(memory)
    return memory
  }
  const [first, followUp] = [expectedCase('a story'), expectedCase('a follow-up after a cut answer')]
  const cold = say(followUp.messages, { temperature: 0 })
  say(first.messages, { temperature: 0, openMemory })
  cache.put(present(memories[0]))
  const warm = say(followUp.messages, { temperature: 0, openMemory })
  expect(memories[1]).toBe(memories[0])
  expect(warm.text).toBe(followUp.text)
  expect(warm.prompted).toBeLessThan(cold.prompted)
})

test('generate: two conversations that take turns say what each says alone', () => {
  const cases = expected.slice(0, 2)
  const running = cases.map(({ messages }) => ({
    pieces: generate(model, messages, { temperature: 0 }),
    text: '',
    done: false,
  }))
  while (running.some(({ done }) => !done)) {
    for (const run of running) {
      const piece = run.pieces.next()
      if (piece.done === true) run.done = true
      else if (piece.value.type === 'token') run.text += piece.value.text
    }
  }
  expect(running.map(({ text }) => text)).toEqual(cases.map(({ text }) => text))
})

test('generate: a limit on the context ends the answer there', () => {
  const { text, reason } = say([{ role: 'user', content: 'Tell me a story about a fox' }], {
    temperature: 0,
    context: 64,
  })
  expect(reason).toBe('length')
  expect(expectedText('a story').startsWith(text)).toBe(true)
})
