import { modelNames } from '@midstream/core/upstream'

/** Where Ollama listens when nobody says otherwise. */
export const ollamaUrl = 'http://127.0.0.1:11434'

/** The model that is preferred where it is there. */
const preferred = 'qwen3:32b'

/** The model server to use: an Ollama with one of its models, or the model that comes with the example. */
export type Found = { readonly url: string; readonly model: string } | 'embedded'

/** What to look for, and how. */
export interface FindOptions {
  readonly upstream?: string | undefined
  readonly model?: string | undefined
  readonly fetch: typeof globalThis.fetch
  /** How long a server may take to list its models, ms. @defaultValue 3000 */
  readonly maxWaitMs?: number | undefined
}

/**
 * Decides which model server and which model to use.
 * @throws {Error} In words for the person at the command line: the server that was named does not answer, or the model is not there.
 */
export async function findModel({ upstream, model, fetch, maxWaitMs = 3_000 }: FindOptions): Promise<Found> {
  const url = upstream ?? ollamaUrl
  const listed = await listModels(url, fetch, maxWaitMs)
  if (upstream !== undefined) {
    if (listed instanceof Error) throw new Error(`--upstream: no Ollama answers at ${url} (${listed.message})`)
    if (listed.length === 0)
      throw new Error(`--upstream: the Ollama at ${url} has no chat model; try: ollama pull ${preferred}`)
    return { url, model: choose(listed, model, `Ollama at ${url}`) }
  }
  if (!(listed instanceof Error) && listed.length > 0) return { url, model: choose(listed, model, `Ollama at ${url}`) }
  if (model !== undefined && !isEmbedded(model)) {
    const why = listed instanceof Error ? `no Ollama answers at ${url}` : `the Ollama at ${url} has no chat model`
    throw new Error(`--model ${model}: ${why}, and the embedded model is called nano`)
  }
  return 'embedded'
}

function choose(listed: readonly string[], wanted: string | undefined, where: string): string {
  const find = (name: string): string | undefined => listed.find((one) => one === name || one === `${name}:latest`)
  const [first = ''] = listed
  if (wanted === undefined) return find(preferred) ?? first
  const found = find(wanted)
  if (found === undefined)
    throw new Error(`--model ${wanted}: ${where} has no such chat model; it has ${listed.join(', ')}`)
  return found
}

const isEmbedded = (model: string): boolean => model === 'nano' || model === 'nano:latest'

/** The names of the server's models that can chat, or why there is no list. */
async function listModels(url: string, fetch: typeof globalThis.fetch, maxWaitMs: number): Promise<string[] | Error> {
  try {
    const response = await fetch(`${url}/api/tags`, { signal: AbortSignal.timeout(maxWaitMs) })
    if (!response.ok) return new Error(`it says ${response.status}`)
    const list: unknown = await response.json()
    // Something else may listen there, and answer anything.
    if (!isModelList(list)) return new Error('what answers is not an Ollama')
    return modelNames({ models: list.models?.filter((entry) => !isEmbedding(entry)) })
  } catch (error) {
    return new Error(reason(error), { cause: error })
  }
}

function isModelList(value: unknown): value is { readonly models: readonly unknown[] | null } {
  if (typeof value !== 'object' || value === null || !('models' in value)) return false
  return value.models === null || Array.isArray(value.models)
}

/** A model that makes vectors of texts: a chat with it is refused. The list itself does not say so. */
function isEmbedding(entry: unknown): boolean {
  const { name, details } = (entry ?? {}) as {
    readonly name?: unknown
    readonly details?: { readonly family?: unknown }
  }
  return /embed/i.test(String(name)) || /bert/i.test(String(details?.family))
}

function reason(error: unknown): string {
  if (error instanceof SyntaxError) return 'what answers is not an Ollama'
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'it took too long'
  // fetch says only "fetch failed" itself.
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (cause instanceof Error) return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
  return String(cause)
}
