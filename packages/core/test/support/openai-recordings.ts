import { readdirSync, readFileSync } from 'node:fs'
import type { Recording } from './replay-server.ts'

const folder = new URL('../fixtures/openai/', import.meta.url)

/** Names of the recorded chats, of real servers of OpenAI's kind. */
export function openAiRecordings(): string[] {
  return readdirSync(folder)
    .filter((name) => name.includes('-v1-') && !name.includes('-get-'))
    .map((name) => name.replace(/\.json$/, ''))
}
export function openAiRecording(name: string): Recording {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Recording
}

interface Chunk {
  readonly choices?:
    | readonly { readonly delta?: { readonly content?: unknown }; readonly finish_reason?: unknown }[]
    | null
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
}

/** What the whole frames of a body say, read by hand and without any of the code under test. */
export function readByHand(body: string): { text: string; reason: string | undefined; usage: Chunk['usage'] } {
  const frames = body.split('\n\n').slice(0, -1)
  const chunks = frames
    .map((frame) => /^data: ?(\{.*)$/m.exec(frame)?.[1])
    .filter((json) => json !== undefined)
    .map((json) => JSON.parse(json) as Chunk)
  const choices = chunks.flatMap((chunk) => chunk.choices ?? [])
  const text = choices.map(({ delta }) => (typeof delta?.content === 'string' ? delta.content : '')).join('')
  const reason = choices.map((choice) => choice.finish_reason).find((one) => typeof one === 'string')
  return { text, reason, usage: chunks.findLast(({ usage }) => usage)?.usage }
}
