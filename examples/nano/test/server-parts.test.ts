import { expect, test } from 'vitest'
import { readFlags } from '../src/flags.ts'
import { nanoDefaults, startNano } from '../src/index.ts'
import { isAllowedHost, isAllowedOrigin } from '../src/server/access.ts'
import { finalReply } from '../src/server/chat-reply.ts'
import { foreverMs, parseKeepAlive } from '../src/server/duration.ts'
import { createResidency } from '../src/server/residency.ts'
import { createStamps, formatStamp } from '../src/server/stamp.ts'

const never = new AbortController().signal

test('stamp: nanoseconds are written as Go writes them', () => {
  expect(formatStamp(1_795_331_353_139_464_778n)).toBe('2026-11-22T07:09:13.139464778Z')
  expect(formatStamp(1_795_331_353_100_000_000n)).toBe('2026-11-22T07:09:13.1Z')
  expect(formatStamp(1_795_331_353_000_000_000n)).toBe('2026-11-22T07:09:13Z')
})

test('stamp: no stamp comes twice, though the clock stands still or goes back', () => {
  let wall = 1_000
  const stamp = createStamps(
    () => wall,
    () => 5n,
  )
  const first = [stamp(), stamp()]
  wall = 900
  expect(new Set([...first, stamp()]).size).toBe(3)
})

test.each([
  [300, 300_000],
  [0, 0],
  [-1, foreverMs],
  ['0', 0],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['1.5s', 1_500],
  ['-1s', foreverMs],
])('keep_alive: %j is %d ms', (value, ms) => {
  expect(parseKeepAlive(value)).toBe(ms)
})

test('keep_alive: nonsense is refused in the words of Go', () => {
  expect(() => parseKeepAlive('soon')).toThrow('time: invalid duration "soon"')
})

test('reply: metrics of 0 are left out', () => {
  const usage = { totalNs: 5, loadNs: 0, promptTokens: 3, promptNs: 0, tokens: 0, tokensNs: 1 }
  const reply = finalReply('nano', 'now', '', 'stop', usage)
  expect(Object.keys(reply).slice(5)).toEqual(['total_duration', 'prompt_eval_count', 'eval_duration'])
})

test.each([
  [undefined, true],
  ['http://localhost:3000', true],
  ['https://127.0.0.1', true],
  ['http://example.test:11435', true],
  ['vscode-webview://abc', true],
  ['https://evil.example', false],
  ['http://localhost.evil.example', false],
  ['null', false],
])('access: origin %s is allowed: %s', (origin, allowed) => {
  expect(isAllowedOrigin(origin, 'example.test:11435')).toBe(allowed)
})

test.each([
  ['127.0.0.1:11435', true],
  ['[::1]:80', true],
  ['LOCALHOST', true],
  ['my.localhost:1', true],
  ['evil.example:11435', false],
])('access: host %s is allowed: %s', (host, allowed) => {
  expect(isAllowedHost(host)).toBe(allowed)
})

test('residency: a model stays as long as its last user asked, and no longer', async () => {
  let now = 1_000
  const residency = createResidency(0, () => now)
  expect(residency.expiresMs()).toBe(null)
  await residency.acquire(never)
  residency.release(500)
  expect(residency.expiresMs()).toBe(1_500)
  now = 1_500
  expect(residency.expiresMs()).toBe(null)
})

test('residency: everybody who asks during a load shares it', async () => {
  const residency = createResidency(20)
  await Promise.all([residency.acquire(never), residency.acquire(never)])
  residency.release(0)
  expect(residency.expiresMs()).not.toBe(null)
  residency.release(0)
  expect(residency.expiresMs()).toBe(null)
})

test('residency: the last one who leaves aborts the load', async () => {
  const residency = createResidency(60_000)
  const [one, two] = [new AbortController(), new AbortController()]
  const waits = Promise.allSettled([residency.acquire(one.signal), residency.acquire(two.signal)])
  one.abort()
  two.abort()
  expect((await waits).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(residency.expiresMs()).toBe(null)
})

test('flags: all of them are read', () => {
  const args = ['--port', '0', '--host', '::1', '--tokens-per-second', '12.5', '--load-ms', '300']
  expect(readFlags(args)).toEqual({ port: 0, host: '::1', tokensPerSecond: 12.5, loadMs: 300 })
  expect(readFlags(['--help'])).toBe('help')
})

test('flags: an unknown flag and a bad value are clear errors', () => {
  expect(() => readFlags(['--speed', '3'])).toThrow("Unknown option '--speed'")
  expect(() => readFlags(['--port', 'x'])).toThrow("--port must be a number from 0 to 65535, got 'x'")
  expect(() => readFlags(['--load-ms=-1'])).toThrow('--load-ms must be a number')
})

test('startNano: an impossible option is refused at once', async () => {
  await expect(startNano({ tokensPerSecond: -1 })).rejects.toThrow('tokensPerSecond must be 0 or more')
  expect(nanoDefaults.tokensPerSecond).toBe(40)
})
