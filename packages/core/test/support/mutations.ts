import { rounds } from '@midstream/test-support'
import { seededRandom, type SeededRandom } from '../../src/testing/index.ts'
import { anthropicSample, anthropicSamples } from './anthropic-samples.ts'
import { recorded, recordedNames, sample, sampleNames, type Server } from './expected.ts'
import { bodyOf } from './replay-server.ts'

/** Whose answers are mutated. */
export type Kind = Server | 'anthropic'

/** Bodies of real servers, and samples by hand, by whose code reads them. */
export const corpus: Readonly<Record<Kind, readonly Buffer[]>> = {
  anthropic: anthropicSamples().map(anthropicSample),
  ollama: bodiesOf('ollama'),
  openai: bodiesOf('openai'),
}
function bodiesOf(server: Server): Buffer[] {
  const recordings = recordedNames().filter((one) => one[1] === server)
  return [
    ...recordings.map(([name]) => bodyOf(recorded(name, server))),
    ...sampleNames()
      .filter((name) => name.startsWith(server))
      .map(sample),
  ].filter(({ length }) => length > 0 && length < 8_192)
}

/** What may stand in place of a value, or of anything: other types, sizes, and words that mean something somewhere. */
const odd = [
  'null',
  'true',
  '0',
  '-1',
  '1e999',
  '""',
  '" "',
  '{}',
  '[]',
  '[null]',
  '{"a":{}}',
  '"\\ud83d"',
  '"\\u0000"',
  '"__proto__"',
  '"stop"',
  '"error"',
  '"tool_calls"',
  '{"message":"x"}',
  '[[[[[[]]]]]]',
  '{"error":null}',
  '"<think>"',
  '"{\\"a\\":1}"',
  '[DONE]',
  '\n',
  '\r',
  '\r\n\r\n',
  '\n\n',
  'data:',
  'data: ',
  'event: error\n',
  'id: 1\n',
  ':\n',
  '\ufeff',
  '\0',
  '😀',
] as [string, ...string[]]

/** Random bytes, or a body with a few changes: in its bytes, its values, its lines. */
export function mutated(random: SeededRandom, bodies: readonly Buffer[]): Buffer {
  const pick = (): Buffer => bodies[random.below(bodies.length)]!
  if (random.below(20) === 0) return Buffer.from(random(new Uint8Array(random.below(200))))
  let body = pick()
  for (let left = random.below(5); left > 0; left--) body = changed(body, random, pick)
  return body
}
function changed(body: Buffer, random: SeededRandom, other: () => Buffer): Buffer {
  const at = random.below(body.length + 1)
  const end = Math.min(body.length, at + random.below(random.pick([2, 20, 400])))
  const joined = (middle: Uint8Array, to = end): Buffer =>
    Buffer.concat([body.subarray(0, at), middle, body.subarray(to)])
  switch (random.below(6)) {
    case 0:
      return joined(random(new Uint8Array(1 + random.below(4))), Math.min(body.length, at + 1))
    case 1:
      return joined(new Uint8Array())
    case 2:
      return joined(body.subarray(at, end), at)
    case 3: {
      const more = other()
      const from = random.below(more.length)
      return joined(more.subarray(from, from + 400), at)
    }
    case 4: {
      // A value of the JSON becomes another one.
      const text = body.toString()
      const values = [...text.matchAll(/"(?:[^"\\\n]|\\.)*"(?!\s*:)|-?\d+(?:\.\d+)?|true|false|null|\{\}|\[\]/g)]
      const value = values[random.below(values.length)]
      if (!value) return joined(Buffer.from(random.pick(odd)))
      return Buffer.from(text.slice(0, value.index) + random.pick(odd) + text.slice(value.index + value[0].length))
    }
    default:
      return joined(Buffer.from(random.pick(odd)))
  }
}

/** The same bytes in reads of random sizes. */
export function split(body: Buffer, random: SeededRandom): Buffer[] {
  const reads: Buffer[] = []
  for (let at = 0; at < body.length;) {
    const size = 1 + random.below(random.pick([2, 60, 2_000]))
    reads.push(body.subarray(at, at + size))
    at += size
  }
  return reads
}

/**
 * Plays what a seed says, for many of them. `FUZZ=1000000 vitest run packages/core/test/fuzz.test.ts` plays a million,
 * `FUZZ_SEED=123` one again.
 * @param few - How many it is where nothing else is asked for: what CI bears.
 */
export async function fuzz(few: number, play: (random: SeededRandom) => unknown): Promise<void> {
  const only = process.env['FUZZ_SEED']
  const seeds = Math.ceil((few * rounds('FUZZ', 10_000)) / 10_000)
  for (let seed = Number(only ?? 1), last = only ? seed : seeds; seed <= last; seed++) {
    try {
      await play(seededRandom(seed))
    } catch (cause) {
      throw new Error(`FUZZ_SEED=${seed}: ${String(cause)}`, { cause })
    }
  }
}
