/* oxlint-disable typescript/no-non-null-assertion -- indices are in range by construction, and these are hot loops */
// The order of every operation here is part of the contract: the figures, samples and tests of this model hold to the
// bit, and a sum in another order is another sum.

/**
 * Multiplies a matrix with a vector: `out[at + r]` becomes the sum of `matrix[r, i] * v[i]`.
 * @param rows - A multiple of four: `v` is read once for four rows, whose sums do not wait for each other.
 */
export function multiply(
  out: Float32Array,
  at: number,
  matrix: Float32Array,
  v: Float32Array,
  rows: number,
  cols: number,
): void {
  for (let r = 0; r < rows; r += 4) {
    let a = 0
    let b = 0
    let c = 0
    let d = 0
    const k0 = r * cols
    const k1 = k0 + cols
    const k2 = k1 + cols
    const k3 = k2 + cols
    for (let i = 0; i < cols; i++) {
      const e = v[i]!
      a += matrix[k0 + i]! * e
      b += matrix[k1 + i]! * e
      c += matrix[k2 + i]! * e
      d += matrix[k3 + i]! * e
    }
    out[at + r] = a
    out[at + r + 1] = b
    out[at + r + 2] = c
    out[at + r + 3] = d
  }
}

/** Adds `v` to `out`, in place. */
export function add(out: Float32Array, v: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = out[i]! + v[i]!
}

/** RMSNorm of `x` with a gain for each component. */
export function normalize(out: Float32Array, x: Float32Array, gain: Float32Array): void {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!
  const factor = 1 / Math.sqrt(sum / x.length + 1e-5)
  for (let i = 0; i < x.length; i++) out[i] = x[i]! * factor * gain[i]!
}

/** SwiGLU: `gate` becomes `silu(gate) * up`. */
export function gateUp(gate: Float32Array, up: Float32Array): void {
  for (let i = 0; i < gate.length; i++) gate[i] = (gate[i]! / (1 + Math.exp(-gate[i]!))) * up[i]!
}

/** Fills in the angles of rotary positions (base 10000) for one position. */
export function anglesAt(position: number, cos: Float32Array, sin: Float32Array): void {
  const headSize = cos.length * 2
  for (let i = 0; i < cos.length; i++) {
    const angle = position / 10000 ** ((2 * i) / headSize)
    cos[i] = Math.cos(angle)
    sin[i] = Math.sin(angle)
  }
}

/** Turns the interleaved pairs of `v[at .. at + dim)` by their angles, in place, head by head. */
export function rotate(v: Float32Array, at: number, dim: number, cos: Float32Array, sin: Float32Array): void {
  const headSize = cos.length * 2
  for (let head = at; head < at + dim; head += headSize) {
    for (let i = 0, j = head; j < head + headSize; i++, j += 2) {
      const a = v[j]!
      const b = v[j + 1]!
      v[j] = a * cos[i]! - b * sin[i]!
      v[j + 1] = a * sin[i]! + b * cos[i]!
    }
  }
}

/** Attention of one query over the positions `0 .. last`, head by head; `scores` is work space. */
export function attend(
  out: Float32Array,
  query: Float32Array,
  keys: Float32Array,
  values: Float32Array,
  scores: Float32Array,
  last: number,
  heads: number,
): void {
  const dim = query.length
  const size = dim / heads
  const scale = 1 / Math.sqrt(size)
  out.fill(0)
  for (let head = 0; head < dim; head += size) {
    let max = -Infinity
    let sum = 0
    for (let t = 0; t <= last; t++) {
      const k = t * dim + head
      let dot = 0
      for (let i = 0; i < size; i++) dot += query[head + i]! * keys[k + i]!
      dot *= scale
      scores[t] = dot
      if (dot > max) max = dot
    }
    for (let t = 0; t <= last; t++) {
      scores[t] = Math.exp(scores[t]! - max)
      sum += scores[t]! // as rounded to 32 bits
    }
    for (let t = 0; t <= last; t++) {
      const k = t * dim + head
      const share = scores[t]! / sum
      for (let i = 0; i < size; i++) out[head + i] = out[head + i]! + share * values[k + i]!
    }
  }
}
