import { expect, test } from 'vitest'
import { pathBelow } from '../src/gateway/path.ts'

const below = (target: string): string | undefined => pathBelow('/api/chat', `http://h${target}`)?.segments.join(' ')

test('path: the base and what is below it are the gateway’s, with their query', () => {
  expect(below('/api/chat')).toBe('')
  expect(below('/api/chat/')).toBe('')
  expect(below('/api/chat?x=/y')).toBe('')
  expect(below('/api/chat/runs/run_1/interrupt')).toBe('runs run_1 interrupt')
  expect(pathBelow('/api/chat', 'https://h:1/api/chat/runs/a?after=2&x')?.query.get('after')).toBe('2')
})

// Every text that some layer takes for the path, and another one does not.
const others = [
  '/api/./chat',
  '/api/chat/.',
  '/api/chat/..',
  '/api/chat/./runs/x',
  '/api/chat/runs/../../../etc',
  '/x/../api/chat',
  '/api/%2e/chat',
  '/api/chat/%2E%2e',
  '/x/%2e%2e/api/chat',
  '/x/.%2e/api/chat',
  '/api\\chat',
  '\\api\\chat',
  '/api/chat\\runs\\x',
  '/api%2fchat',
  '/api/chat%2fruns%2fx',
  '/api/chat/runs%2Fx',
  '/api/ch%61t',
  '/api/chat%00',
  '/api/chat%20',
  '/api/chat;x',
  '/api/chat/;x',
  '/api/chat#x',
  '/api/chat/#x',
  '/API/chat',
  '//api/chat',
  '/api//chat',
  '/api/chat//',
  '/api/chat//runs/x',
  '//evil.example/api/chat',
  '/api/\tchat',
  '/api/chat\n',
  '/api/chat\r\n',
  '/api/cha\nt',
  '/api/chat ',
  '/api/chat/ü',
  '/api/chats',
  '/api/chat.',
  '/api',
  '/',
  '',
  '?/api/chat',
  '/?/api/chat',
  '#/api/chat',
  '/http://h/api/chat',
]
test.for(others)('path: %j is not the gateway’s', (target) => {
  expect(below(target)).toBe(undefined)
})

test('path: a host is skipped as text, and never more than that', () => {
  for (const url of ['/api/chat', 'HTTP://user:x@h:80/api/chat', 'http://[::1]:80/api/chat'])
    expect(pathBelow('/api/chat', url)?.segments).toEqual([])
  for (const url of [
    'http://h\\x/api/chat',
    'http://h?/api/chat',
    'http://h#/api/chat',
    'http:///x/api/chat',
    'http:/api/chat',
  ])
    expect(pathBelow('/api/chat', url)).toBe(undefined)
})

test('path: what a URL parser would write differently is never the gateway’s, for every mark in every place', () => {
  const marks = Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code))
  const pieces = [
    ...marks,
    '%2e',
    '%2e%2e',
    '%2f',
    '%5c',
    '%00',
    '%',
    '/.',
    '/..',
    './',
    '../',
    '//',
    '\\..',
    '\u2028',
    '\uff0e',
    '🌸',
  ]
  for (const base of ['/api/chat', '/api/chat/runs/run_1']) {
    for (const piece of pieces) {
      for (let at = 1; at <= base.length; at++) {
        const target = base.slice(0, at) + piece + base.slice(at)
        if (below(target) === undefined) continue
        expect([target, new URL(`http://h${target}`).pathname]).toEqual([target, target.replace(/\?.*/s, '')])
      }
    }
  }
})
