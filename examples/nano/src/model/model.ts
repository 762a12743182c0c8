/* oxlint-disable typescript/no-non-null-assertion -- indices are in range by construction, and these are hot loops */
import { createEncoder, spaceMark, tokenIds } from './encoder.ts'
import { add, anglesAt, attend, gateUp, multiply, normalize, rotate } from './maths.ts'
import { readWeights, type ModelConfig } from './weights.ts'

/** Tokens that a model can hold in one conversation. */
export const contextLength = 1024

/** The keys and values of one conversation, with the tokens that made them. */
export interface Memory {
  readonly tokens: number[]
  readonly keys: readonly Float32Array[]
  readonly values: readonly Float32Array[]
}

/** A loaded model. It holds work space for one step only, so the steps of several conversations may take turns. */
export interface Model {
  readonly config: ModelConfig
  /** The text of each token; `''` for special tokens and single bytes. */
  readonly texts: readonly string[]
  encode(text: string): number[]
  /** The bytes of a token; a byte token may be only a part of a character. */
  bytes(token: number): Uint8Array
  createMemory(): Memory
  /**
   * Feeds one token.
   * @returns The logits of the next token, valid until the next step of any conversation.
   * @throws {RangeError} The memory is full.
   */
  step(memory: Memory, token: number): Float32Array
  /** Feeds one token of a prompt, whose logits nobody wants: half the work of `step`. */
  read(memory: Memory, token: number): void
}

/** Loads a model from the contents of nano-lm.bin. */
export function createModel(file: Uint8Array): Model {
  const { config, embedding, outputNorm, blocks } = readWeights(file)
  const { dim, heads, hidden, vocab } = config
  const headSize = dim / heads
  const stream = new Float32Array(dim) // the residual stream
  const normed = new Float32Array(dim)
  const query = new Float32Array(dim)
  const attended = new Float32Array(dim)
  const change = new Float32Array(dim) // what one half of a block adds to the stream
  const gate = new Float32Array(hidden)
  const up = new Float32Array(hidden)
  const scores = new Float32Array(contextLength)
  const logits = new Float32Array(vocab)
  const cos = new Float32Array(headSize / 2)
  const sin = new Float32Array(headSize / 2)
  const texts = config.tokens.map((token, id) => (id < tokenIds.text ? '' : token.replaceAll(spaceMark, ' ')))
  const utf8 = new TextEncoder()

  const read = (memory: Memory, token: number): void => {
    const position = memory.tokens.length
    if (position >= contextLength) throw new RangeError('the context is full')
    memory.tokens.push(token)
    stream.set(embedding.subarray(token * dim, token * dim + dim))
    anglesAt(position, cos, sin)
    const at = position * dim
    for (let layer = 0; layer < blocks.length; layer++) {
      const block = blocks[layer]!
      const keys = memory.keys[layer]!
      const values = memory.values[layer]!
      normalize(normed, stream, block.attentionNorm)
      multiply(query, 0, block.query, normed, dim, dim)
      multiply(keys, at, block.key, normed, dim, dim)
      multiply(values, at, block.value, normed, dim, dim)
      rotate(query, 0, dim, cos, sin)
      rotate(keys, at, dim, cos, sin)
      attend(attended, query, keys, values, scores, position, heads)
      multiply(change, 0, block.output, attended, dim, dim)
      add(stream, change)

      normalize(normed, stream, block.feedNorm)
      multiply(gate, 0, block.gate, normed, hidden, dim)
      multiply(up, 0, block.up, normed, hidden, dim)
      gateUp(gate, up)
      multiply(change, 0, block.down, gate, dim, hidden)
      add(stream, change)
    }
  }

  return {
    config,
    texts,
    encode: createEncoder(config),
    bytes(token) {
      if (token < tokenIds.bytes) return new Uint8Array()
      return token < tokenIds.text ? Uint8Array.of(token - tokenIds.bytes) : utf8.encode(texts[token])
    },
    createMemory() {
      const cache = (): Float32Array[] => blocks.map(() => new Float32Array(contextLength * dim))
      return { tokens: [], keys: cache(), values: cache() }
    },
    read,
    step(memory, token) {
      read(memory, token)
      normalize(normed, stream, outputNorm)
      multiply(logits, 0, embedding, normed, vocab, dim) // the output is tied to the embedding
      return logits
    },
  }
}
