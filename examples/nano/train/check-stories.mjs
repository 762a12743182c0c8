/* oxlint-disable typescript/no-misused-spread -- texts are taken apart by code point on purpose */
// node check-stories.mjs ../nano-lm.bin [temperature=0] [every nth animal=2]: right animal, one name, thing kept; follow-ups after a random cut: name, other animal, happier
import { readFileSync } from 'node:fs'
import { createModel } from '../src/model/model.ts'
import { generate } from '../src/model/generate.ts'
import { animals, things } from './corpus-data.mjs'
const m = createModel(readFileSync(process.argv[2])),
  T = Number(process.argv[3] ?? 0),
  u = (c) => ({ role: 'user', content: c }),
  a = (c) => ({ role: 'assistant', content: c })
let seed = 7
const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648
const say = (ms) => {
  let t = ''
  for (const p of generate(m, ms, { temperature: T, random })) t += p.text ?? ''
  return t
}
const R = {}
const add = (k, ok, note) => {
  ;(R[k] ??= [0, 0])[1]++
  if (ok) R[k][0]++
  else if (note && (R[k].n ??= []).length < 3) R[k].n.push(note)
}
const cnt = (t, s) => t.split(s).length - 1
for (let i = 0; i < animals.length; i += Number(process.argv[4] ?? 2))
  for (const z of [0, 1]) {
    const w = animals[i][z],
      o = animals[(i + 5) % animals.length][z],
      q = z ? `讲一个${w}的故事` : `Tell me a story about a ${w}`,
      s = say([u(q)])
    const n = z ? s.match(/名叫\*\*(.+?)\*\*/)?.[1] : s.match(/named (\w+)/)?.[1],
      th = z ? s.match(/发现了一.(.+?)。/)?.[1] : s.match(/found an? (.+?) under/)?.[1],
      tt = th && things.map((t) => t[z]).find((t) => th.endsWith(t))
    const L = z ? 'zh ' : 'en ',
      head = s.slice(0, z ? 40 : 90)
    add(L + 'animal', head.includes(w), head)
    add(L + 'name kept', n && cnt(s, n) >= (z ? 5 : 6), s)
    add(L + 'thing kept', tt && cnt(s, tt) >= 2, s)
    const cut = [...s].slice(0, Math.floor([...s].length * (0.4 + 0.5 * random()))).join('')
    const f = (x) => say([u(q), a(cut), u(x)])
    let g = f(z ? '它叫什么名字?' : 'What is its name?')
    add(L + 'asked name', g.includes(n) && g.includes(w), g)
    g = f(z ? `换成一只${o}` : `Make it a ${o}`)
    add(L + 'swap', g.slice(0, z ? 60 : 60).includes(o) && g.includes(n), g.slice(0, 90))
    g = f(z ? '改得快乐一点' : 'Make it happier')
    add(
      L + 'happier',
      g.slice(0, z ? 60 : 70).includes(w) && g.includes(n) && /开心地唱歌|sang and laughed/.test(g),
      g.slice(0, 90),
    )
  }
for (const k in R)
  console.log(k, R[k][0] + '/' + R[k][1], (R[k].n ?? []).map((t) => JSON.stringify(t.slice(0, 150))).join(' | '))
