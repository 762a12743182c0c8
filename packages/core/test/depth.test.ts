import { expect, test } from 'vitest'
import { isDeeper, maxReplyDepth, maxRequestDepth } from '../src/wire/depth.ts'
import { parsedJson } from '../src/wire/json.ts'
import { parseChatRequest, parseInterrupt } from '../src/wire/messages.ts'

const objects = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)
const lists = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
const mixed = (levels: number): string => '[{"a":'.repeat(levels / 2) + '1' + '}]'.repeat(levels / 2)

test.for([
  ['objects', objects],
  ['lists', lists],
  ['both', mixed],
] as const)('isDeeper: counts levels of %s', ([, nested]) => {
  expect(isDeeper(nested(10), 10)).toBe(false)
  expect(isDeeper(nested(12), 10)).toBe(true)
  expect(isDeeper(nested(20_000), 20_000)).toBe(false)
  expect(isDeeper(nested(20_002), 20_000)).toBe(true)
})

test('isDeeper: brackets in strings, in names and after an escaped quote are no levels', () => {
  const text = JSON.stringify({ ['[{'.repeat(40)]: `\\"${'[{"'.repeat(40)}\\`, last: '\\' })
  expect(isDeeper(text, 1)).toBe(false)
  expect(isDeeper(`[${text}]`, 1)).toBe(true)
  // A string without an end holds all that follows.
  expect(isDeeper(`{"a":"${'['.repeat(100)}`, 5)).toBe(false)
})

test('isDeeper: what is wide is not deep', () => {
  expect(isDeeper(`[${'[],'.repeat(10_000)}[]]`, 2)).toBe(false)
})

test('isDeeper: what never closes is deep all the same', () => {
  expect(isDeeper('['.repeat(1_000), 100)).toBe(true)
})

test('parsedJson: what nests deeper than a reply may is not read', () => {
  expect(parsedJson(lists(maxReplyDepth))).toBeInstanceOf(Array)
  expect(parsedJson(lists(maxReplyDepth + 1))).toBeUndefined()
})

test.for<[where: string, body: (json: string) => string]>([
  ['a tool', (json) => `{"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"t","parameters":${json}}]}`],
  ['options', (json) => `{"messages":[{"role":"user","content":"hi"}],"options":{"stop":${json}}}`],
  ['a field that nobody knows', (json) => `{"messages":[{"role":"user","content":"hi"}],"metadata":${json}}`],
  ['a message', (json) => `{"messages":[{"role":"user","content":"hi","more":${json}}]}`],
  ['content', (json) => `{"messages":[{"role":"user","content":${json}}]}`],
  [
    'arguments of a call',
    (json) =>
      `{"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"c","name":"t","arguments":${json}}]},{"role":"user","content":"hi"}]}`,
  ],
])('parseChatRequest: %s nested too deep is a bad_request', ([, body]) => {
  for (const levels of [maxRequestDepth, 20_000, 100_000]) {
    expect(() => parseChatRequest(body(objects(levels)), { maxMessages: 10 })).toThrow(
      expect.objectContaining({ code: 'bad_request', message: expect.stringContaining('128 levels') }),
    )
  }
})

test('parseChatRequest: arguments as deep as a model may send them come back in a history', () => {
  const body = `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":[{"id":"c","name":"t","arguments":${objects(maxReplyDepth)}}]},{"role":"user","content":"hi"}]}`
  expect(parseChatRequest(body, { maxMessages: 10 }).messages).toHaveLength(3)
})

test('parseInterrupt: what nests too deep is a bad_request', () => {
  expect(() => parseInterrupt(`{"position":${lists(20_000)}}`)).toThrow(
    expect.objectContaining({ code: 'bad_request' }),
  )
})
