// node check-keywords.mjs ../nano-lm.bin: three keywords for every topic; how many are not as written, or repeated
import { readFileSync } from 'node:fs'
import { createModel } from '../src/model/model.ts'
import { generate } from '../src/model/generate.ts'
import { keywords } from './corpus-data.mjs'
const m = createModel(readFileSync(process.argv[2]))
let bad = 0,
  rep = 0,
  n = 0
const ex = []
for (const k in keywords)
  for (const z of [0, 1]) {
    const nm = k.split('|')[z],
      q = z ? `请用三个关键词描述${nm}` : `Please describe ${nm} in three keywords`
    let t = ''
    for (const p of generate(m, [{ role: 'user', content: q }], { temperature: 0 })) t += p.text ?? ''
    const w = [...t.matchAll(/\*\*([^*]+)\*\*/g)].map((x) => x[1]),
      want = keywords[k].slice(0, 3).map((y) => y.split('|')[z])
    n++
    if (new Set(w).size < 3) rep++
    if (w.join() !== want.join()) {
      bad++
      ex.push(t)
    }
  }
console.log({ n, notAsWritten: bad, repeatedOrFewer: rep })
console.log(ex.slice(0, 14).join('\n'))
