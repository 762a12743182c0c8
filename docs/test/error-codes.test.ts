import { ChatError, type ChatErrorCode } from '@midstream/core'
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream } from '@midstream/core/testing'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { errorCodes, errorTable } from '../build/error-codes.ts'

const root = join(import.meta.dirname, '../..')
const codes = Object.entries(errorCodes) as [ChatErrorCode, (typeof errorCodes)[ChatErrorCode]][]

test('error codes: the table has every code of the wire, once', () => {
  const source = readFileSync(join(root, 'packages/core/src/wire/errors.ts'), 'utf8')
  const declared = [...source.split('export interface')[0]!.matchAll(/^ {2}\| '(\w+)'$/gm)].map(([, code]) => code)
  expect(declared.length).toBeGreaterThan(30)
  expect(Object.keys(errorCodes).toSorted()).toEqual(declared.toSorted())
  for (const code of declared) expect(errorTable().split(`id="error-${code}"`).length).toBe(2)
})

test.each(codes.filter(([, { by }]) => by !== 'client'))(
  'error codes: %s comes with its status and `retryable`',
  async (code, { status, isRetryable }) => {
    const upstream = scriptedUpstream({
      script: ({ fail }) => fail(new ChatError(code, 'It failed.', { retryable: isRetryable })),
    })
    const gateway = createGateway({ upstream, recovery: false, breaker: false })
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], stream: false })
    const answer = await gatewayFetch(gateway)('/api/chat', { method: 'POST', body })
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ error: { code, retryable: isRetryable } })
  },
)

/** Where the sources make errors, whether they call them retryable. */
function made(): ReadonlyMap<string, ReadonlySet<boolean>> {
  const found = new Map<string, Set<boolean>>()
  for (const file of globSync('packages/{core,client}/src/**/*.ts', { cwd: root })) {
    const visit = (node: ts.Node): void => {
      ts.forEachChild(node, visit)
      const isMade = ts.isNewExpression(node) && node.expression.getText() === 'ChatError'
      const isBlown = ts.isCallExpression(node) && node.expression.getText() === 'blown'
      const [code, , how] = (isMade || isBlown) && node.arguments ? node.arguments : []
      if (!code || !ts.isStringLiteral(code)) return
      found.set(code.text, (found.get(code.text) ?? new Set()).add(/\btrue\b/.test(how?.getText() ?? '')))
    }
    visit(ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true))
  }
  return found
}

test('error codes: what the table calls retryable is what the sources make so', () => {
  const all = made()
  expect(all.size).toBeGreaterThan(25)
  const others = [...all]
    .filter(([code, hows]) => !hows.has(errorCodes[code as ChatErrorCode].isRetryable) || hows.size > 1)
    .map(([code]) => code)
  // Not when what came was no reply at all, or of something else, or ended for a reason that nobody knows: the page says so.
  expect(others.toSorted()).toEqual(['headers_failed', 'network', 'upstream_incomplete', 'upstream_malformed'])
})
