import { pushing } from './answers.ts'
import { eventsOf } from '../../src/upstream/events-of.ts'
import { readdirSync, readFileSync } from 'node:fs'
import { ollama } from '../../src/upstream/ollama/ollama.ts'
import { openaiCompatible } from '../../src/upstream/openai/openai.ts'
import type { DialectName } from '../../src/upstream/openai/dialect.ts'
import type { Transport } from '../../src/upstream/http/transport.ts'
import type { Upstream, UpstreamRequest } from '../../src/upstream/upstream.ts'
import { isChatError } from '../../src/wire/errors.ts'
import type { ToolCall, Usage } from '../../src/wire/events.ts'
import type { RandomBytes } from '../../src/wire/ids.ts'
import type { Recording } from './replay-server.ts'

/** What a reply says and how it ends, by hand: a finish reason, an error's code, `interrupted`, or what `status()` says. */
export interface Expected {
  readonly text?: string
  readonly thinking?: string
  readonly tool_calls?: readonly ToolCall[]
  readonly usage?: Usage
  readonly end: string
  /** No reply: what the server says of itself. */
  readonly ask?: 'status'
  readonly dialect?: DialectName
}

const folder = new URL('../fixtures/', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8')
const namesIn = (path: string): string[] => readdirSync(new URL(path, folder))

/** Of every recording and every byte sample; written from the bytes and the index of the recordings, by none of the code. */
export const expected = JSON.parse(read('expected.json')) as {
  readonly recordings: Readonly<Record<string, Expected>>
  readonly samples: Readonly<Record<string, Expected>>
  readonly refusals: Readonly<
    Record<string, { readonly server: Server; readonly status: number; readonly body: string; readonly end: string }>
  >
}

/** Whose code reads it. */
export type Server = 'ollama' | 'openai'
const servers: readonly Server[] = ['ollama', 'openai']

/** Names of all recordings, each with its server. */
export function recordedNames(): [name: string, server: Server][] {
  return servers.flatMap((server) =>
    namesIn(server)
      .filter((file) => file.endsWith('.json'))
      .map((file): [string, Server] => [file.replace(/\.json$/, ''), server]),
  )
}
export function recorded(name: string, server: Server): Recording {
  return JSON.parse(read(`${server}/${name}.json`)) as Recording
}

/** Byte samples: `openai/crlf` and the like. */
export function sampleNames(): string[] {
  return servers.flatMap((server) => namesIn(`${server}/samples`).map((file) => `${server}/${file.split('.')[0]}`))
}
export function sample(name: string): Buffer {
  const [server, file] = name.split('/')
  return readFileSync(new URL(`${server}/samples/${file}.${server === 'ollama' ? 'ndjson' : 'sse'}`, folder))
}

/** What comes back for a request. */
export interface Answer {
  /** 0: no head comes. */
  readonly status: number
  readonly type?: string | undefined
  readonly pieces: Iterable<Uint8Array>
  /** `held`: it goes on in silence until whoever asked leaves. */
  readonly ended: 'end' | 'reset' | 'held'
}

const request: UpstreamRequest = {
  model: 'nano',
  messages: [{ role: 'user', content: 'Hello' }],
  prefill: '',
  interruptedNote: null,
}
const reset = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

/** A transport that gives the answer, without a socket. */
export function answering(answer: (url: string) => Answer): Transport {
  return pushing(async ({ url, signal }) => {
    const { status, type, pieces, ended } = answer(url)
    const left = (): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    if (status === 0) throw ended === 'held' ? await left() : reset()
    return {
      status,
      header: (name) => (name === 'content-type' ? type : undefined),
      body: (async function* () {
        yield* pieces
        if (ended === 'held') await left()
        if (ended === 'reset') throw reset()
      })(),
    }
  })
}

const random: RandomBytes = (bytes) => bytes.fill(7)

export function upstreamOf(server: Server, transport: Transport, dialect?: DialectName): Upstream {
  const options = { model: 'nano', transport, random }
  return server === 'ollama' ? ollama(options) : openaiCompatible({ ...options, url: 'http://h/v1', dialect })
}

/** What an upstream made of an answer. */
export interface Heard extends Expected {
  readonly malformed: number
}

/**
 * Gives answers to one upstream and says what it makes of each. Signs of life, progress and usage before the end are left out.
 * @throws Whatever is no error of a model server, and when anything comes after the end.
 */
export function listener(server: Server): (answer: Answer) => Promise<Heard> {
  let current: Answer
  const upstream = upstreamOf(
    server,
    answering(() => current),
  )
  return async (answer) => {
    current = answer
    const leave = new AbortController()
    const heard = { text: '', thinking: '', malformed: 0 }
    const calls: ToolCall[] = []
    const ends: { end: string; usage?: Usage }[] = []
    if (answer.ended === 'held') setImmediate(() => leave.abort())
    try {
      for await (const events of eventsOf(upstream, request, leave.signal)) {
        for (const event of events) {
          if (ends.length > 0) throw new Error(`after the end: ${JSON.stringify(event)}`)
          if ('message' in event) heard.text += event.message
          else if ('thinking' in event) heard.thinking += event.thinking
          else if ('tool_call' in event) calls.push(event.tool_call)
          else if ('malformed' in event) heard.malformed += 1
          else if ('error' in event) ends.push({ end: event.error.code })
          else if ('finish' in event) ends.push({ end: event.finish, ...(event.usage && { usage: event.usage }) })
        }
      }
    } catch (error) {
      if (leave.signal.aborted && error === leave.signal.reason) ends.push({ end: 'interrupted' })
      else if (isChatError(error)) ends.push({ end: error.code })
      else throw error
    }
    if (ends.length > 1) throw new Error(`ended twice: ${JSON.stringify(ends)}`)
    const { text, thinking, malformed } = heard
    return {
      malformed,
      ...(ends[0] ?? { end: 'upstream_incomplete' }),
      ...(text !== '' && { text }),
      ...(thinking !== '' && { thinking }),
      ...(calls.length > 0 && { tool_calls: calls }),
    }
  }
}
