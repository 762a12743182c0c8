import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundle } from './support.ts'

const root = join(import.meta.dirname, '../../packages/react')
// All but `./upstream` and `./node`, which are for servers.
const entries = [
  '@midstream/core',
  '@midstream/core/gateway',
  '@midstream/core/testing',
  '@midstream/client',
  '@midstream/client/persist',
  '@midstream/client/tabs',
  '@midstream/react',
]

test.each(entries)('side effects: loading %s does nothing, whatever its package.json says of it', async (entry) => {
  const code = await bundle(root, `import '${entry}'`, { distrust: true })
  expect(code.replace('import "react";', '').trim()).toBe('')
})

test.each([
  ['createId', '@midstream/core', 300],
  ['coalesce', '@midstream/core', 800],
  ['isChatError', '@midstream/client', 200],
])('side effects: a page that uses only %s of %s loads less than %i bytes', async (name, entry, bytes) => {
  const code = await bundle(root, `export { ${name} } from '${entry}'`)
  expect(code).not.toBe('')
  expect(gzipSync(code).length).toBeLessThan(bytes)
})
