/* oxlint-disable typescript/no-misused-spread -- texts are taken apart by code point on purpose */
// Vocabulary and training tokens. node tokenizer.mjs corpus.jsonl DIR [vocab=2400]; KEEP=1 takes the vocabulary of ../nano-lm.bin and only encodes.
// The vocabulary is SentencePiece-style ("llama" in GGUF): 5 specials, 256 bytes, single characters, then merges in order of
// rank (score = -rank). Chinese stays one token a character, so a cut between Chinese characters is always a token end.
import { readFileSync, writeFileSync } from 'node:fs'
import { createEncoder } from '../src/model/encoder.ts'
import { readWeights } from '../src/model/weights.ts'
const [src, dir, vs = '2400'] = process.argv.slice(2),
  V = +vs,
  MAX = 800
const docs = readFileSync(src, 'utf8').trim().split('\n').map(JSON.parse)
const WORD = / ?[A-Za-z]+| ?\*\*|```|\n\n|\.\.\./g
if (process.env.KEEP) {
  const { tokens, scores } = readWeights(readFileSync(new URL('../nano-lm.bin', import.meta.url))).config
  // As in GGUF: 2 unknown, 3 control, 6 a byte, 1 text.
  const types = tokens.map((_, id) => (id === 0 ? 2 : id < 5 ? 3 : id < 261 ? 6 : 1))
  writeFileSync(`${dir}/tok.json`, JSON.stringify({ tokens, types, scores }))
} else {
  const tokens = ['<unk>', '<s>', '</s>', '<|user|>', '<|assistant|>'],
    types = [2, 3, 3, 3, 3],
    scores = [0, 0, 0, 0, 0]
  for (let i = 0; i < 256; i++) {
    tokens.push(`<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`)
    types.push(6)
    scores.push(0)
  }
  const add = (t, sc) => {
    tokens.push(t)
    types.push(1)
    scores.push(sc)
  }
  const words = new Map(),
    chars = new Map()
  for (const d of docs)
    for (const [, t] of d) {
      for (const c of t) chars.set(c, (chars.get(c) ?? 0) + 1)
      for (const [w] of t.matchAll(WORD)) {
        const e = w.replaceAll(' ', '\u2581')
        words.set(e, (words.get(e) ?? 0) + 1)
      }
    }
  const ascii = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)),
    wide = [...chars]
      .filter(([c, n]) => c.codePointAt(0) > 126 && n >= 12)
      .map(([c]) => c)
      .sort((a, b) => (a < b ? -1 : 1))
  for (const c of ['\u2581', '\n', ...ascii, ...wide]) add(c, -1e6 - tokens.length)
  const have = new Set(tokens),
    list = [...words].filter(([, n]) => n >= 4).map(([w, c]) => ({ p: [...w], c }))
  for (let rank = 1; tokens.length < V; rank++) {
    const pairs = new Map()
    for (const { p, c } of list)
      for (let i = 0; i + 1 < p.length; i++) {
        const k = p[i] + '\0' + p[i + 1]
        pairs.set(k, (pairs.get(k) ?? 0) + c)
      }
    let best,
      bc = 0
    for (const [k, c] of pairs)
      if (c > bc) {
        best = k
        bc = c
      }
    if (!best) break
    const [a, b] = best.split('\0'),
      m = a + b
    for (const w of list)
      for (let i = 0; i + 1 < w.p.length; i++) if (w.p[i] === a && w.p[i + 1] === b) w.p.splice(i, 2, m)
    if (!have.has(m)) {
      have.add(m)
      add(m, -rank)
    }
  }
  writeFileSync(`${dir}/tok.json`, JSON.stringify({ tokens, types, scores }))
  console.log({ vocab: tokens.length, wide: wide.length })
}
// x: the tokens; y: what each must predict, 0 = no loss. Loss only on the assistant's words; </s> is predicted but never fed back,
// so in the history a complete and an interrupted answer look alike and the chat template needs no end token.
const encode = createEncoder(JSON.parse(readFileSync(`${dir}/tok.json`))),
  memo = new Map(),
  X = [],
  Y = [],
  off = [0]
let dropped = 0,
  bytes = 0
const enc = (t) => {
  const o = []
  for (const w of t.match(/ ?[^\s]+|\s+/g) ?? []) {
    let e = memo.get(w)
    if (!e) {
      e = encode(w)
      if (memo.size < 2e5) memo.set(w, e)
    }
    o.push(...e)
  }
  return o
}
for (const d of docs) {
  const x = [1],
    y = [0]
  let open = false // y[i] is what the model must say after x[i]
  const put = (id, learn) => {
    if (learn) y[y.length - 1] = id
    x.push(id)
    y.push(0)
  }
  for (const [kind, text, note] of d) {
    const ids = enc(text)
    if (kind === 'u') {
      put(3, false)
      for (const t of ids) put(t, false)
      open = false
      continue
    }
    if (!open) put(4, false)
    if (kind === 'a') {
      for (const t of ids) put(t, true)
      y[y.length - 1] = 2
    } else ids.forEach((t, i) => put(t, i < ids.length - 2))
    if (note) for (const t of enc(note)) put(t, false)
    open = kind === 'p'
  }
  if (x.length > MAX) {
    dropped++
    continue
  }
  for (let i = 0; i < x.length; i++) {
    X.push(x[i])
    Y.push(y[i])
    if (x[i] >= 5 && x[i] < 261) bytes++
  }
  off.push(X.length)
}
writeFileSync(`${dir}/x.u16`, Buffer.from(Uint16Array.from(X).buffer))
writeFileSync(`${dir}/y.u16`, Buffer.from(Uint16Array.from(Y).buffer))
writeFileSync(`${dir}/off.u32`, Buffer.from(Uint32Array.from(off).buffer))
console.log({ docs: off.length - 1, dropped, tokens: X.length, learnt: Y.filter(Boolean).length, bytes })
