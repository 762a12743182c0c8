// node export.mjs TRAINDIR OUTDIR: weights.f32 + tok.json + config.json -> nano-lm.bin (int8, see README.md), nano.gguf (f32), nano.Modelfile
import { readFileSync, writeFileSync } from 'node:fs'
import { writeGGUF, llamaMeta } from './gguf.mjs'
const [dir, out] = process.argv.slice(2),
  json = (n) => JSON.parse(readFileSync(`${dir}/${n}`)),
  c = json('config.json'),
  tok = json('tok.json'),
  { dim: D, hidden: F } = c
const raw = readFileSync(`${dir}/weights.f32`),
  all = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length)),
  tensors = []
let at = 0
const take = (name, ...dims) => {
  const n = dims.reduce((a, b) => a * b)
  tensors.push({ name, dims, data: all.slice(at, at + n) })
  at += n
}
take('token_embd.weight', D, c.vocab)
take('output_norm.weight', D)
for (let l = 0; l < c.layers; l++) {
  const b = `blk.${l}.`
  take(b + 'attn_norm.weight', D)
  for (const n of ['q', 'k', 'v', 'output']) take(`${b}attn_${n}.weight`, D, D)
  take(b + 'ffn_norm.weight', D)
  take(b + 'ffn_gate.weight', D, F)
  take(b + 'ffn_down.weight', F, D)
  take(b + 'ffn_up.weight', D, F)
}
if (at !== all.length) throw new Error(`weights.f32 has ${all.length} numbers, not ${at}`)
// No end token in the history; a trailing assistant message is left open, so that the model continues it.
const jinja =
  "{%- for m in messages -%}{%- if m['role'] == 'user' -%}<|user|>{{ m['content'] }}{%- elif m['role'] == 'assistant' -%}<|assistant|>{{ m['content'] }}{%- endif -%}{%- endfor -%}{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
const go =
  '{{ range .Messages }}{{ if eq .Role "user" }}<|user|>{{ .Content }}{{ else if eq .Role "assistant" }}<|assistant|>{{ .Content }}{{ end }}{{ end }}{{ if ne (index .Messages (len (slice .Messages 1))).Role "assistant" }}<|assistant|>{{ end }}'
writeGGUF(
  `${out}/nano.gguf`,
  llamaMeta(
    { ...c, name: 'nano (Midstream demo model, trained on synthetic text)', license: 'MIT', ctx: 1024 },
    { ...tok, template: jinja, spacePrefix: false },
  ),
  tensors,
)
writeFileSync(
  `${out}/nano.Modelfile`,
  `FROM ./nano.gguf\nTEMPLATE """${go}"""\nPARAMETER num_ctx 1024\nPARAMETER num_thread 1\nPARAMETER num_predict 512\nPARAMETER stop "</s>"\nPARAMETER temperature 0.4\nPARAMETER top_k 20\nPARAMETER repeat_penalty 1.0\n`,
)
const head = { ...c, tokens: tok.tokens, scores: tok.scores, tensors: [] },
  parts = []
let offset = 0
for (const { name, dims, data } of tensors) {
  const [cols, rows] = dims,
    bufs = []
  if (rows === undefined) bufs.push(Buffer.from(data.buffer))
  else {
    const q = new Int8Array(rows * cols),
      scale = new Float32Array(rows)
    for (let r = 0; r < rows; r++) {
      const row = data.subarray(r * cols, r * cols + cols)
      scale[r] = Math.max(1e-9, ...row.map(Math.abs)) / 127
      row.forEach((x, i) => {
        q[r * cols + i] = Math.round(x / scale[r])
      })
    }
    bufs.push(Buffer.from(scale.buffer), Buffer.from(q.buffer))
  }
  head.tensors.push([name, dims, offset])
  for (const b of bufs) {
    parts.push(b)
    offset += b.length
  }
}
let text = Buffer.from(JSON.stringify(head))
text = Buffer.concat([text, Buffer.alloc((4 - (text.length % 4)) % 4, 32)])
const length = Buffer.alloc(4)
length.writeUInt32LE(text.length)
writeFileSync(`${out}/nano-lm.bin`, Buffer.concat([length, text, ...parts]))
console.log({ gguf: readFileSync(`${out}/nano.gguf`).length, int8: 4 + text.length + offset })
