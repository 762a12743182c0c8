/* oxlint-disable typescript/no-misused-spread -- texts are taken apart by code point on purpose */
// node eval.mjs [corpus.jsonl]: the 40 held-out prompts of heldout.mjs -> ../samples.txt, continuation at random cuts, speed. Greedy.
// With a corpus, it says which of the wordings stand in it. env: MODEL=../nano-lm.bin OUT=../samples.txt CUTS=200
import { readFileSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createModel } from '../src/model/model.ts'
import { generate } from '../src/model/generate.ts'
import { heldout } from './heldout.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const file = readFileSync(process.env.MODEL ?? here('../nano-lm.bin'))
const model = createModel(file)
const user = (content) => ({ role: 'user', content })
const assistant = (content) => ({ role: 'assistant', content })
const answer = (messages) => {
  let text = ''
  for (const piece of generate(model, messages, { temperature: 0 })) text += piece.text ?? ''
  return text
}
const plain = (text) => text.toLowerCase().replace(/[\s\p{P}]/gu, '')

const seen = new Set()
if (process.argv[2])
  for (const line of readFileSync(process.argv[2], 'utf8').trim().split('\n'))
    for (const [kind, text] of JSON.parse(line)) if (kind === 'u') seen.add(plain(text))

let out = '',
  known = 0
heldout.forEach((entry, i) => {
  const questions = entry.filter((e) => typeof e === 'string'),
    part = entry.find((e) => typeof e === 'number')
  const messages = [user(questions[0])]
  out += `--- ${i + 1}${entry.at(-1).no ? ' (out of scope)' : ''}${seen.has(plain(questions.at(-1))) ? (known++, ' (this wording is in the training text)') : ''}\n> ${questions[0]}\n`
  if (part) {
    // the model's own answer, cut; then the follow-up
    const first = [...answer(messages)],
      shown = first.slice(0, Math.floor(first.length * part)).join('')
    messages.push(assistant(shown), user(questions[1]))
    out += `${shown}[cut here]\n> ${questions[1]}\n`
  }
  out += `${answer(messages)}\n\n`
})

// Continuation: fresh conversations (another seed) that end in a cut answer. `seam`: the text up to the first boundary after the cut
// is as in the original; `whole`: all of the rest is. Stories may go on in other ways, so `whole` has a ceiling below 1.
const docs = execFileSync('node', [here('./corpus.mjs'), '6000', '424242'], { maxBuffer: 1 << 28, encoding: 'utf8' })
  .trim()
  .split('\n')
  .map(JSON.parse)
  .filter((d) => d.at(-2)?.[0] === 'p')
  .slice(0, Number(process.env.CUTS ?? 200))
const score = { en: [0, 0, 0], zh: [0, 0, 0], inside: [0, 0] }
for (const d of docs) {
  const messages = d
    .slice(0, -1)
    .map(([kind, text, note]) => (kind === 'u' ? user(text) : assistant(text + (note ?? ''))))
  const cut = d.at(-2)[1],
    rest = d.at(-1)[1],
    got = answer(messages),
    zh = /[\u4e00-\u9fff]/.test(cut + rest),
    s = score[zh ? 'zh' : 'en']
  const ok = got.startsWith(zh ? rest.slice(0, 4) : rest.match(/^[A-Za-z0-9]*[^A-Za-z0-9]?/)[0])
  s[0]++
  if (ok) s[1]++
  if (got === rest) s[2]++
  if (/[A-Za-z]$/.test(cut) && /^[A-Za-z]/.test(rest)) {
    score.inside[0]++
    if (ok) score.inside[1]++
  }
}

const s = model.createMemory(),
  t0 = performance.now()
for (let i = 0; i < 300; i++) model[i === 299 ? 'step' : 'read'](s, 5 + ((i * 37) % 2000))
const t1 = performance.now()
for (let i = 0; i < 200; i++) model.step(s, 300 + i)
const t2 = performance.now()
const figures = {
  wordingInTraining: known,
  cuts: { en: 'n, seam, whole ' + score.en, zh: 'n, seam, whole ' + score.zh, insideAWord: 'n, seam ' + score.inside },
  promptOf300Ms: Math.round(t1 - t0),
  tokensPerSecondAt300: Math.round(200e3 / (t2 - t1)),
  fileBytes: file.length,
}
out += JSON.stringify(figures, null, 1) + '\n'
writeFileSync(process.env.OUT ?? here('../samples.txt'), out)
console.log(JSON.stringify(figures, null, 1))
