import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('../fixtures/anthropic/', import.meta.url)

/** Byte samples of the Messages API, by name: from its documents and its SDK, elided parts filled in by hand. */
export function anthropicSamples(): string[] {
  return readdirSync(folder).map((name) => name.replace(/\.sse$/, ''))
}
export function anthropicSample(name: string): Buffer {
  return readFileSync(new URL(`${name}.sse`, folder))
}

/** The API's frames by hand. */
export function frame(data: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
}
export const start: string = frame({
  type: 'message_start',
  message: { role: 'assistant', content: [], usage: { input_tokens: 3, output_tokens: 1 } },
})
export function said(text: string): string {
  return block('content_block_delta', { delta: { type: 'text_delta', text } })
}
export function block(type: string, more: object, index = 0): string {
  return frame({ type, index, ...more })
}
export function reason(why: string | null, more: object = {}): string {
  return frame({ type: 'message_delta', delta: { stop_reason: why }, usage: { output_tokens: 2 }, ...more })
}
export const stop: string = frame({ type: 'message_stop' })
