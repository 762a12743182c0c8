import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundle } from './support.ts'

const root = join(import.meta.dirname, '../../packages/react')
const entries = [
  '@midstream/core',
  '@midstream/core/gateway',
  '@midstream/core/node',
  '@midstream/core/testing',
  '@midstream/client',
  '@midstream/client/persist',
  '@midstream/client/tabs',
  '@midstream/react',
]

test.each(entries)('side effects: loading %s does nothing, whatever its package.json says of it', async (entry) => {
  const code = await bundle(root, `import '${entry}'`, { distrust: true })
  expect(code.replaceAll(/import "(react|node:[^"]+)";/g, '').trim()).toBe('')
})

// Its table of dialects spreads constants, which no bundler takes for pure by itself: there the package.json has to say it.
test('side effects: @midstream/core/upstream is left out when nothing of it is used, as its package.json allows', async () => {
  const entry = `import '@midstream/core/upstream'`
  // Nothing is called.
  expect(await bundle(root, entry, { distrust: true })).not.toMatch(/[\w)\]]\(/)
  expect((await bundle(root, entry)).trim()).toBe('')
})

test.each([
  ['createId', '@midstream/core', 300],
  ['coalesce', '@midstream/core', 900],
  ['isChatError', '@midstream/client', 200],
])('side effects: a page that uses only %s of %s loads less than %i bytes', async (name, entry, bytes) => {
  const code = await bundle(root, `export { ${name} } from '${entry}'`)
  expect(code).not.toBe('')
  expect(gzipSync(code).length).toBeLessThan(bytes)
})
