// A minimal GGUF v3 writer.
import { writeFileSync } from 'node:fs'
const T = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, str: 8, arr: 9, u64: 10 }
class W {
  parts = []
  len = 0
  push(b) {
    this.parts.push(b)
    this.len += b.length
  }
  u32(v) {
    const b = Buffer.alloc(4)
    b.writeUInt32LE(v)
    this.push(b)
  }
  i32(v) {
    const b = Buffer.alloc(4)
    b.writeInt32LE(v)
    this.push(b)
  }
  u64(v) {
    const b = Buffer.alloc(8)
    b.writeBigUInt64LE(BigInt(v))
    this.push(b)
  }
  f32(v) {
    const b = Buffer.alloc(4)
    b.writeFloatLE(v)
    this.push(b)
  }
  str(s) {
    const b = Buffer.isBuffer(s) ? s : Buffer.from(s, 'utf8')
    this.u64(b.length)
    this.push(b)
  }
}
/** meta: array of [key, type, value]; type 'u32'|'f32'|'str'|'bool'|'arr:str'|'arr:f32'|'arr:i32'.
 *  tensors: array of {name, dims (fastest first), data: Float32Array, type?: 'f32'|'f16'} */
export function writeGGUF(path, meta, tensors) {
  const w = new W()
  w.push(Buffer.from('GGUF'))
  w.u32(3)
  w.u64(tensors.length)
  w.u64(meta.length)
  const val = (t, v) => {
    if (t === 'u32') w.u32(v)
    else if (t === 'i32') w.i32(v)
    else if (t === 'f32') w.f32(v)
    else if (t === 'str') w.str(v)
    else if (t === 'bool') w.push(Buffer.from([v ? 1 : 0]))
    else throw new Error(t)
  }
  for (const [k, t, v] of meta) {
    w.str(k)
    if (t.startsWith('arr:')) {
      const e = t.slice(4)
      w.u32(T.arr)
      w.u32(T[e])
      w.u64(v.length)
      for (const x of v) val(e, x)
    } else {
      w.u32(T[t])
      val(t, v)
    }
  }
  const AL = 32,
    pad = (n) => (AL - (n % AL)) % AL
  const blobs = tensors.map((t) => {
    if ((t.type ?? 'f32') === 'f32') return Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength)
    const o = new Uint16Array(t.data.length)
    for (let i = 0; i < o.length; i++) o[i] = f16(t.data[i])
    return Buffer.from(o.buffer)
  })
  let off = 0
  tensors.forEach((t, i) => {
    w.str(t.name)
    w.u32(t.dims.length)
    for (const d of t.dims) w.u64(d)
    w.u32((t.type ?? 'f32') === 'f32' ? 0 : 1)
    w.u64(off)
    off += blobs[i].length + pad(blobs[i].length)
  })
  w.push(Buffer.alloc(pad(w.len)))
  for (const b of blobs) {
    w.push(b)
    w.push(Buffer.alloc(pad(b.length)))
  }
  writeFileSync(path, Buffer.concat(w.parts))
  return w.len
}
const fb = new Float32Array(1),
  ub = new Uint32Array(fb.buffer)
function f16(x) {
  fb[0] = x
  const b = ub[0],
    s = (b >>> 16) & 0x8000,
    e = ((b >>> 23) & 0xff) - 112,
    m = b & 0x7fffff
  if (e >= 31) return s | 0x7c00
  if (e <= 0) {
    if (e < -10) return s
    const mm = m | 0x800000,
      sh = 14 - e
    return s | ((mm + (1 << (sh - 1))) >>> sh)
  }
  return (s | (e << 10)) + ((m + 0x1000) >>> 13)
}
/** tensors of a llama-architecture model from a getter f(name) -> {dims,data} */
export function llamaMeta(c, tok, extra = []) {
  return [
    ['general.architecture', 'str', 'llama'],
    ['general.name', 'str', c.name],
    ['general.license', 'str', c.license],
    ['general.file_type', 'u32', 0],
    ['llama.vocab_size', 'u32', c.vocab],
    ['llama.context_length', 'u32', c.ctx],
    ['llama.embedding_length', 'u32', c.dim],
    ['llama.block_count', 'u32', c.layers],
    ['llama.feed_forward_length', 'u32', c.hidden],
    ['llama.attention.head_count', 'u32', c.heads],
    ['llama.attention.head_count_kv', 'u32', c.kvHeads],
    ['llama.rope.dimension_count', 'u32', c.dim / c.heads],
    ['llama.rope.freq_base', 'f32', c.ropeBase ?? 10000],
    ['llama.attention.layer_norm_rms_epsilon', 'f32', 1e-5],
    ['tokenizer.ggml.model', 'str', 'llama'],
    ['tokenizer.ggml.tokens', 'arr:str', tok.tokens],
    ['tokenizer.ggml.scores', 'arr:f32', tok.scores],
    ['tokenizer.ggml.token_type', 'arr:i32', tok.types],
    ['tokenizer.ggml.unknown_token_id', 'u32', 0],
    ['tokenizer.ggml.bos_token_id', 'u32', 1],
    ['tokenizer.ggml.eos_token_id', 'u32', 2],
    ['tokenizer.ggml.add_bos_token', 'bool', true],
    ['tokenizer.ggml.add_eos_token', 'bool', false],
    ['tokenizer.ggml.add_space_prefix', 'bool', tok.spacePrefix ?? true],
    ['tokenizer.chat_template', 'str', tok.template],
    ...extra,
  ]
}
