// Runs the smoke test in a runtime that has a console: `node main.mjs`, `bun main.mjs`, `deno run -A main.mjs`.
import { smoke } from './smoke.mjs'

console.log(await smoke())
