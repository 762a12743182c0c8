// Runs the smoke tests in a runtime that has servers: `node main.mjs`, `bun main.mjs`, `deno run -A main.mjs`.
import process from 'node:process'
import { served } from './served.mjs'
import { smoke } from './smoke.mjs'

const limitMs = 60_000
const limit = setTimeout(() => {
  console.error(`not done after ${limitMs} ms`)
  process.exit(1)
}, limitMs)

console.log(`in one process: ${await smoke()}`)
console.log(`over sockets: ${await served()}`)
clearTimeout(limit)
