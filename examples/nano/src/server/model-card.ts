import { contextLength } from '../model/model.ts'
import { formatStamp } from './stamp.ts'

/** The name under which the model is listed; `nano` alone means the same. */
const modelName = 'nano:latest'

/** The name that Ollama's errors about capabilities use. */
export const fullName: string = `registry.ollama.ai/library/${modelName}`

/** What the lists say about the model's file. */
export interface ModelFile {
  readonly bytes: number
  /** SHA-256, in hex. */
  readonly digest: string
  readonly modifiedMs: number
}

/** Tells whether a name in a request means this model. */
export function isModel(name: string): boolean {
  return /^(?:registry\.ollama\.ai\/)?(?:library\/)?nano(?::latest)?$/i.test(name)
}

const details = Object.freeze({
  parent_model: '',
  format: 'nano-lm',
  family: 'llama',
  families: ['llama'],
  parameter_size: '1.31M',
  quantization_level: 'I8',
})

/** The answer of `GET /api/tags`. */
export function tagsReply({ bytes, digest, modifiedMs }: ModelFile): object {
  return {
    models: [
      {
        name: modelName,
        model: modelName,
        modified_at: stampAt(modifiedMs),
        size: bytes,
        digest,
        details: { ...details, context_length: contextLength, embedding_length: 128 },
        capabilities: ['completion'],
      },
    ],
  }
}

/**
 * The answer of `GET /api/ps`.
 * @param expiresMs - Until when the model stays loaded, ms since 1970; null when it is not loaded.
 */
export function psReply({ bytes, digest }: ModelFile, expiresMs: number | null): object {
  if (expiresMs === null) return { models: [] }
  return {
    models: [
      {
        name: modelName,
        model: modelName,
        size: bytes,
        digest,
        details,
        expires_at: stampAt(expiresMs),
        size_vram: 0,
        context_length: contextLength,
      },
    ],
  }
}

function stampAt(ms: number): string {
  return formatStamp(BigInt(Math.round(ms)) * 1_000_000n)
}
