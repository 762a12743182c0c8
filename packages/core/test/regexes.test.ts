import { readFileSync, globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseSync, Visitor } from 'oxc-parser'
import { analyse } from 'scslre'
import { expect, test } from 'vitest'

// A pattern that backtracks super-linearly on what a stranger sends stops the gateway's one thread, or a tab.

/** Patterns whose input is bounded, with the bound. */
const bounded = new Map([
  [
    "(?:(?![\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}\\p{sc=Thai}])[\\p{L}\\p{M}\\p{N}_'’-])+$",
    '65 characters of a reply',
  ],
  ['\\/+$', 'the path of a URL that the app gives'],
])

interface Pattern {
  readonly source: string
  readonly flags: string
}
const isSlow = (pattern: Pattern): boolean => analyse(pattern).reports.length > 0

const root = fileURLToPath(new URL('../../', import.meta.url))
const files = globSync(['core/src/**/*.ts', 'client/src/**/*.ts'], { cwd: root }).toSorted()

function literals(file: string): Pattern[] {
  const found: Pattern[] = []
  const visitor = new Visitor({
    Literal(node) {
      if ('regex' in node) found.push({ source: node.regex.pattern, flags: node.regex.flags })
    },
  })
  visitor.visit(parseSync(file, readFileSync(root + file, 'utf8')).program)
  return found
}

test('regular expressions: the check finds those that backtrack', () => {
  for (const slow of [/(a+)+$/, /\s+$/, /^\s*(?:x)?\s*$/, /a*a*b/])
    expect([slow.source, isSlow(slow)]).toEqual([slow.source, true])
  for (const fast of [/^\s*$/, /^[^,]{0,80},/]) expect([fast.source, isSlow(fast)]).toEqual([fast.source, false])
})

test('regular expressions: none in the sources backtracks super-linearly, but where its input is bounded', () => {
  const slow = files.flatMap((file) =>
    literals(file)
      .filter(isSlow)
      .map(({ source }) => ({ file, source })),
  )
  expect(slow.filter(({ source }) => !bounded.has(source))).toEqual([])
  // An entry that is needed no more goes.
  expect(new Set(slow.map(({ source }) => source))).toEqual(new Set(bounded.keys()))
  expect(files.flatMap(literals).length).toBeGreaterThan(80)
})

/** Files that put patterns together from texts, and how each of them comes to do so. */
const makers: Readonly<Record<string, () => Promise<unknown>>> = {
  'core/src/upstream/http/error-meaning.ts': async () =>
    (await import('../src/upstream/http/error-meaning.ts')).meaningOf(500, 'no'),
  'core/src/upstream/http/wait-words.ts': async () =>
    (await import('../src/upstream/http/wait-words.ts')).waitSaid({}, 'no'),
  'core/src/upstream/openai/refusal.ts': async () => {
    const { dialects } = await import('../src/upstream/openai/dialects.ts')
    const { createRefusal } = await import('../src/upstream/openai/refusal.ts')
    for (const dialect of Object.values(dialects)) createRefusal(dialect)('no', true)
  },
}

test('regular expressions: none that is put together from texts does, either', async () => {
  const made: Pattern[] = []
  const own = globalThis.RegExp
  globalThis.RegExp = new Proxy(own, {
    construct(target, given: [string, string?], by) {
      made.push({ source: given[0], flags: given[1] ?? '' })
      return Reflect.construct(target, given, by) as RegExp
    },
    apply: () => {
      throw new Error('Write `new RegExp`: it is found here.')
    },
  })
  try {
    await import('../src/upstream/index.ts')
    for (const make of Object.values(makers)) await make()
  } finally {
    globalThis.RegExp = own
  }
  expect(made.length).toBeGreaterThan(10)
  expect(made.filter(isSlow)).toEqual([])
})

test('regular expressions: every file that puts some together is known here', () => {
  const makes = (file: string): boolean => {
    let found = false
    const isRegExp = (callee: { readonly type: string; readonly name?: unknown }): boolean =>
      callee.type === 'Identifier' && callee.name === 'RegExp'
    new Visitor({
      NewExpression: ({ callee }) => void (found ||= isRegExp(callee)),
      CallExpression: ({ callee }) => void (found ||= isRegExp(callee)),
    }).visit(parseSync(file, readFileSync(root + file, 'utf8')).program)
    return found
  }
  expect(files.filter(makes)).toEqual(Object.keys(makers).toSorted())
})
