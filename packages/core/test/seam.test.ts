import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSeam, type SeamOptions } from '../src/upstream/reply/seam.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'

type Seaming = Partial<SeamOptions> & Pick<SeamOptions, 'copies'>
const sent = 'There was once a fox called Eva'

/** What a person gets behind the partial, of what the model said in these deltas. */
function after(options: Seaming, said: readonly string[], last: UpstreamEvent | null = { finish: 'stop' }): string {
  const seam = createSeam({ sent, tail: '', ...options })
  const events = said.flatMap((message) => seam.push([{ message }]))
  events.push(...(last ? seam.push([last]) : seam.end()))
  return events.map((event) => ('message' in event ? event.message : '')).join('')
}
const letters = (text: string): string[] => text.split('')
const pieces = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 })
function split(text: string, sizes: readonly number[]): string[] {
  const parts: string[] = []
  let at = 0
  for (const size of sizes) {
    parts.push(text.slice(at, at + size))
    at += size
  }
  return [...parts, text.slice(at)]
}

test('seam: an echo is removed, however it is split over deltas', () => {
  for (const copies of ['always', 'maybe'] as const) {
    fc.assert(
      fc.property(pieces, (sizes) => {
        expect(after({ copies }, split(`${sent}, who lived`, sizes))).toBe(', who lived')
      }),
    )
    expect(after({ copies }, letters(`${sent}.`))).toBe('.')
  }
})

test('seam: without an echo nothing is removed', () => {
  for (const copies of ['always', 'maybe', 'never'] as const) {
    expect(after({ copies }, [', who', ' lived'])).toBe(', who lived')
    expect(after({ copies }, letters('There was no other'))).toBe('There was no other')
    expect(after({ copies }, [' There was once'])).toBe(copies === 'always' ? '' : ' There was once')
  }
})

test('seam: a server that never echoes may say the same words again', () => {
  expect(after({ copies: 'never' }, [sent, '!'])).toBe(`${sent}!`)
})

test('seam: a short partial is an echo only where the server always echoes', () => {
  expect(after({ copies: 'maybe', sent: 'ha' }, ['ha', 'ha'])).toBe('haha')
  expect(after({ copies: 'always', sent: 'ha' }, ['ha', 'ha'])).toBe('ha')
})

test('seam: an echo that breaks off is no new text where the server always echoes, and else it is', () => {
  expect(after({ copies: 'always' }, ['There was'])).toBe('')
  expect(after({ copies: 'maybe' }, ['There was'])).toBe('There was')
  expect(after({ copies: 'maybe' }, ['There was'], null)).toBe('There was')
})

test('seam: what is held back comes before an error or a call', () => {
  const call = { tool_call: { id: 'a', name: 'f', arguments: {} } }
  const seam = createSeam({ sent, tail: '', copies: 'maybe' })
  expect(seam.push([{ message: 'There was' }, { thinking: 'Hm' }, call])).toEqual([
    { alive: true },
    { thinking: 'Hm' },
    { message: 'There was' },
    call,
  ])
})

test('seam: an overlap from 16 characters up is removed, however it is split, the longest one', () => {
  fc.assert(
    fc.property(pieces, fc.integer({ min: 0, max: sent.length - 16 }), (sizes, from) => {
      expect(after({ copies: 'overlap' }, split(`${sent.slice(from)}, who lived`, sizes))).toBe(', who lived')
    }),
  )
  const twice = 'one two three four, one two three four'
  expect(after({ copies: 'overlap', sent: twice }, letters(`${twice}, five`))).toBe(', five')
  expect(after({ copies: 'overlap', sent: twice }, letters('one two three four, five'))).toBe(', five')
})

test('seam: a model that starts over says nothing twice', () => {
  expect(after({ copies: 'overlap' }, letters(`${sent}, who lived`))).toBe(', who lived')
  expect(after({ copies: 'overlap' }, letters(`\n\n${sent}, who lived`))).toBe(', who lived')
  expect(after({ copies: 'overlap' }, [sent])).toBe('')
})

test('seam: a short or a broken overlap is kept: it may be chance', () => {
  expect(after({ copies: 'overlap' }, [' called Eva', ', the'])).toBe(' called Eva, the')
  expect(after({ copies: 'overlap' }, ['There was once a wolf'])).toBe(' There was once a wolf')
})

test('seam: any text of a model that does not overlap comes whole', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 4 })), (said) => {
      const text = said.join('')
      for (const copies of ['overlap', 'maybe'] as const) expect(after({ copies }, said).trim()).toBe(text.trim())
    }),
  )
})

test.for<[sent: string, said: string, gap: string]>([
  ['There was', 'once', ' '],
  ['There was', ' once', ''],
  ['There was', ', once', ''],
  ['One, two,', 'three', ' '],
  ['The end.', 'And then', ' '],
  ['3.', '14', ''],
  ['example.', 'org', ''],
  ['春', '光', ''],
  ['春', 'spring', ''],
  ['(', 'one', ''],
  ['café', 'noir', ' '],
])('seam: in words, "%s" and "%s" meet with "%s" between them', ([sent, said, gap]) => {
  expect(after({ copies: 'overlap', sent }, [said])).toBe(gap + said)
})

test('seam: white space that the server was not sent is not written twice, nor lost', () => {
  for (const copies of ['never', 'maybe', 'always', 'overlap'] as const) {
    expect(after({ copies, tail: '\n\n' }, ['\n', '\nNext'])).toBe('Next')
    expect(after({ copies, tail: ' ' }, [' ', 'Next'])).toBe('Next')
    expect(after({ copies, tail: ' ' }, ['Next'])).toBe('Next')
    expect(after({ copies, tail: '\n' }, ['\n    Next'])).toBe('    Next')
  }
  for (const copies of ['maybe', 'always', 'overlap'] as const) {
    expect(after({ copies, tail: '\n' }, [`${sent}\n`, 'Next'])).toBe('Next')
  }
})

test('seam: no space is made between words where white space of the partial stands already', () => {
  expect(after({ copies: 'overlap', tail: '\n\n' }, ['Next'])).toBe('Next')
})
