#!/usr/bin/env node
// A chat on the command line, without a server: each argument is one turn.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { generate } from './model/generate.ts'
import { createModel } from './model/model.ts'
import type { Message } from './model/prompt.ts'

const usage = `nano-chat [--temperature N] "Hello" "北京有哪些著名景点?" "颐和园的开放时间是几点?"\n`

function chat(turns: readonly string[], temperature: number): void {
  const loadAt = performance.now()
  const model = createModel(readFileSync(new URL('../nano-lm.bin', import.meta.url)))
  console.log(`[loaded in ${(performance.now() - loadAt).toFixed(0)} ms]`)
  const messages: Message[] = []
  for (const content of turns) {
    messages.push({ role: 'user', content })
    process.stdout.write(`\n> ${content}\n`)
    let answer = ''
    let count = 0
    let firstAt = 0
    const askedAt = performance.now()
    for (const piece of generate(model, messages, { temperature })) {
      if (piece.type === 'prompt') continue
      firstAt ||= performance.now()
      count++
      answer += piece.text
      process.stdout.write(piece.text)
    }
    messages.push({ role: 'assistant', content: answer })
    const speed = (count / (performance.now() - firstAt)) * 1000
    console.log(`\n[first token after ${(firstAt - askedAt).toFixed(0)} ms, then ${speed.toFixed(0)} tokens/s]`)
  }
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { temperature: { type: 'string', default: '0.4' }, help: { type: 'boolean' } },
  })
  const temperature = Number(values.temperature)
  if (!(temperature >= 0)) throw new RangeError(`--temperature must be 0 or more, got '${values.temperature}'`)
  if (values.help === true || positionals.length === 0) process.stdout.write(usage)
  else chat(positionals, temperature)
} catch (error) {
  console.error(`nano-chat: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
