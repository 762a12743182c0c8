import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import {
  createModel,
  startNano,
  type GenerateOptions,
  type Message,
  type Model,
  type Nano,
  type NanoOptions,
} from '../src/index.ts'

/** What a real Ollama answered. */
export interface Recording {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** Any line of an answer. */
export interface Line {
  readonly model?: string
  readonly created_at?: string
  readonly message?: { readonly role: string; readonly content: string }
  readonly done?: boolean
  readonly done_reason?: string
  readonly prompt_eval_count?: number
  readonly eval_count?: number
  readonly eval_duration?: number
  readonly load_duration?: number
  readonly error?: string
}

const fixture = (name: string): string => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')

/** Answers of a real Ollama (a source build with llama.cpp b10488), by request. */
const recordings: Readonly<Record<string, Recording>> = JSON.parse(fixture('recordings.json'))

/** What the model's first runner, from which this one was rewritten, says at temperature 0 or with the same random numbers. */
export const expected: readonly ExpectedCase[] = JSON.parse(fixture('expected.json'))

export interface ExpectedCase {
  readonly name: string
  readonly messages: readonly Message[]
  readonly options: Pick<GenerateOptions, 'maxTokens' | 'temperature' | 'topK'> & { readonly seeded?: true }
  readonly text: string
  readonly reason: string
}

export const expectedCase = (name: string): ExpectedCase => present(expected.find((entry) => entry.name === name))

/** A value that must be there. */
export function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('a value is missing')
  return value
}

export const recording = (name: string): Recording => present(recordings[name])

/** The text that the model must give for one of the expected cases. */
export const expectedText = (name: string): string => expectedCase(name).text

export const loadModel = (): Model => createModel(readFileSync(new URL('../nano-lm.bin', import.meta.url)))

/** Starts a server for the length of one test, as fast as it goes. */
export async function withNano(options: NanoOptions, run: (nano: Nano) => Promise<void>): Promise<void> {
  const nano = await startNano({ tokensPerSecond: 0, ...options })
  try {
    await run(nano)
  } finally {
    await nano.close()
  }
}

/** The body of a chat with one question, answered greedily. */
export function ask(content: string, more: object = {}): object {
  return { model: 'nano', messages: [{ role: 'user', content }], options: { temperature: 0 }, ...more }
}

export function postChat(nano: Nano, body: object | string, signal?: AbortSignal): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return fetch(`${nano.url}/api/chat`, { method: 'POST', body: text, ...(signal && { signal }) })
}

/** Reads NDJSON line by line. */
export async function* readLines(response: Response): AsyncGenerator<Line, void> {
  let rest = ''
  for await (const chunk of present(response.body).pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line) as Line
  }
  if (rest !== '') throw new Error(`cut off: ${rest}`)
}

/** All lines of an answer, once it has ended. */
export async function allLines(response: Response): Promise<Line[]> {
  const lines: Line[] = []
  for await (const line of readLines(response)) lines.push(line)
  return lines
}

export const textOf = (lines: readonly Line[]): string => lines.map((line) => line.message?.content ?? '').join('')

/** A value's keys in their order, with the type of each: what must be equal to a recording, whatever was said. */
export function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape)
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.entries(value).map(([key, inner]) => [key, shape(inner)])
}

/** A request with any method and headers (fetch forbids some). */
export function rawRequest(
  nano: Nano,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Promise<{ status: number; headers: Readonly<Record<string, unknown>>; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(nano.url + path, { method, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
      response.on('error', reject)
    })
    outgoing.on('error', reject).end(body)
  })
}
