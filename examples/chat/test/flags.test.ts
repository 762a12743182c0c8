import { expect, test } from 'vitest'
import { readFlags } from '../server/flags.ts'
import { isLocalHost } from '../server/local-host.ts'

test('readFlags: defaults', () => {
  expect(readFlags([])).toEqual({ port: 8080, host: '127.0.0.1', upstream: undefined, model: undefined })
})

test('readFlags: every flag', () => {
  const flags = readFlags(['--port', '0', '--host', '::1', '--upstream', 'http://gpu:11434/', '--model', 'qwen3:32b'])
  expect(flags).toEqual({ port: 0, host: '::1', upstream: 'http://gpu:11434', model: 'qwen3:32b' })
  expect(readFlags(['--help'])).toBe('help')
})

test.each([
  [['--prot', '1'], '--prot'],
  [['--port'], '--port'],
  [['--port', '65536'], '--port must be'],
  [['--port', '1.5'], '--port must be'],
  [['--port', ''], '--port must be'],
  [['--host', ''], '--host must not be empty'],
  [['--upstream', 'gpu:11434'], '--upstream must be an http(s) URL'],
  [['--upstream', 'ftp://gpu'], '--upstream must be an http(s) URL'],
  [['--model', ''], '--model must not be empty'],
  [['8080'], '8080'],
])('readFlags: %j is an error that names it', (args, named) => {
  expect(() => readFlags(args)).toThrow(named)
})

test('isLocalHost: tells this machine from a foreign name', () => {
  for (const host of ['localhost:8080', '127.0.0.1', '[::1]:80', 'app.localhost']) expect(isLocalHost(host)).toBe(true)
  for (const host of ['evil.example', 'localhost.evil.example:8080', '', undefined])
    expect(isLocalHost(host)).toBe(false)
})
