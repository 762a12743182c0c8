import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('bench: of 40 streams at once through the program, which some leave and some interrupt, each is whole and its own', async () => {
  const script = fileURLToPath(new URL('../streams.bench.ts', import.meta.url))
  const env = { ...process.env, STREAMS: '40', SECONDS: '3', RATE: '10' }
  // It ends with 1 otherwise, which rejects.
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { env })
  expect(stdout.match(/40 of 40 \| 0 \|/g)).toHaveLength(2)
  expect(stderr).toBe('')
}, 60_000)
