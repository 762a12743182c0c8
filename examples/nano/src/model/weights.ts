/* oxlint-disable typescript/no-non-null-assertion -- indices are in range by construction, and these are hot loops */
import type { Vocabulary } from './encoder.ts'

/** The header of nano-lm.bin: the shape of the model and its vocabulary. README.md describes the file. */
export interface ModelConfig extends Vocabulary {
  readonly dim: number
  readonly layers: number
  readonly heads: number
  readonly hidden: number
  readonly vocab: number
}

/** The weights of one transformer block. */
interface Block {
  readonly attentionNorm: Float32Array
  readonly query: Float32Array
  readonly key: Float32Array
  readonly value: Float32Array
  readonly output: Float32Array
  readonly feedNorm: Float32Array
  readonly gate: Float32Array
  readonly up: Float32Array
  readonly down: Float32Array
}

/** Everything in nano-lm.bin, with the int8 matrices unpacked to floats. */
export interface Weights {
  readonly config: ModelConfig
  readonly embedding: Float32Array
  readonly outputNorm: Float32Array
  readonly blocks: readonly Block[]
}

interface Header extends ModelConfig {
  readonly tensors: readonly (readonly [name: string, dims: readonly [number, number?], offset: number])[]
}

/**
 * Reads the contents of nano-lm.bin.
 * @throws {RangeError} A tensor that the model needs is missing, or the file is cut off.
 */
export function readWeights(contents: Uint8Array): Weights {
  // A Buffer's slice() is a view; a Uint8Array's is the copy that is wanted here.
  const file = new Uint8Array(contents.buffer, contents.byteOffset, contents.byteLength)
  const headerLength = new DataView(file.buffer, file.byteOffset, file.byteLength).getUint32(0, true)
  const data = 4 + headerLength
  const header = JSON.parse(new TextDecoder().decode(file.subarray(4, data))) as Header

  const tensors = new Map<string, Float32Array>()
  for (const [name, [cols, rows], offset] of header.tensors) {
    const at = data + offset
    tensors.set(name, rows === undefined ? floats(file, at, cols) : unpack(file, at, cols, rows))
  }
  const tensor = (name: string): Float32Array => {
    const found = tensors.get(`${name}.weight`)
    if (found === undefined) throw new RangeError(`the model file has no tensor ${name}`)
    return found
  }
  const block = (layer: number): Block => ({
    attentionNorm: tensor(`blk.${layer}.attn_norm`),
    query: tensor(`blk.${layer}.attn_q`),
    key: tensor(`blk.${layer}.attn_k`),
    value: tensor(`blk.${layer}.attn_v`),
    output: tensor(`blk.${layer}.attn_output`),
    feedNorm: tensor(`blk.${layer}.ffn_norm`),
    gate: tensor(`blk.${layer}.ffn_gate`),
    up: tensor(`blk.${layer}.ffn_up`),
    down: tensor(`blk.${layer}.ffn_down`),
  })
  return {
    config: header,
    embedding: tensor('token_embd'),
    outputNorm: tensor('output_norm'),
    blocks: Array.from({ length: header.layers }, (_, layer) => block(layer)),
  }
}

// slice() copies, so the views are aligned wherever the data stands in the file.
function floats(file: Uint8Array, at: number, count: number): Float32Array {
  const bytes = file.slice(at, at + count * 4)
  if (bytes.length < count * 4) throw new RangeError('the model file is cut off')
  return new Float32Array(bytes.buffer)
}

function unpack(file: Uint8Array, at: number, cols: number, rows: number): Float32Array {
  const scales = floats(file, at, rows)
  const small = new Int8Array(file.slice(at + rows * 4, at + rows * 4 + rows * cols).buffer)
  if (small.length < rows * cols) throw new RangeError('the model file is cut off')
  const full = new Float32Array(rows * cols)
  for (let r = 0, k = 0; r < rows; r++) for (let i = 0; i < cols; i++, k++) full[k] = small[k]! * scales[r]!
  return full
}
