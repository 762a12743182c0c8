import type { Progress } from '../../wire/events.ts'
import { list, record, text, type Json } from '../../wire/json.ts'
import type { ModelsSeen } from './loading.ts'

/** Servers that load a model when it is asked for, and tell elsewhere which ones are there. @public */
export type Residency = 'ollama' | 'lmstudio'

/** Asks one of the server's own paths, which stand beside `/v1`. */
type Get = (path: string) => Promise<unknown>

const looks: Readonly<Record<Residency, (get: Get) => Promise<ModelsSeen>>> = {
  async ollama(get) {
    const [resident, all] = await Promise.all([get('/api/ps'), get('/api/tags')])
    const loaded = new Set(modelNames(resident).map(withTag))
    const known = new Map<string, Json>()
    // As below: of two with one name the first counts.
    for (const entry of list(record(all)['models']).map(record).toReversed())
      known.set(withTag(text(entry['name'])), entry)
    return (model) => stageOf(loaded.has(withTag(model)), known.get(withTag(model))?.['size'])
  },
  // Its REST API since 0.4: `{ models: [{ key, size_bytes, loaded_instances: [{ id }] }] }`.
  async lmstudio(get) {
    const known = new Map<string, Json>()
    for (const entry of list(record(await get('/api/v1/models'))['models'])
      .map(record)
      .toReversed()) {
      for (const one of list(entry['loaded_instances'])) known.set(text(record(one)['id']), entry)
      known.set(text(entry['key']), entry)
    }
    return (model) => {
      const entry = known.get(model)
      return entry && stageOf(list(entry['loaded_instances']).length > 0, entry['size_bytes'])
    }
  },
}

/** What the server is at with a request that it has not answered yet. */
export function lookAtModels(kind: Residency, get: Get): Promise<ModelsSeen> {
  return looks[kind](get)
}

/** A model that nobody knows is no progress: that it is missing is about to be said. */
function stageOf(isLoaded: boolean, bytes: unknown): Progress | undefined {
  if (isLoaded) return { stage: 'prompt' }
  return typeof bytes === 'number' ? { stage: 'loading', total: bytes } : undefined
}

/** Names of the models in an answer of `/api/tags` or `/api/ps`. @public */
export function modelNames(answer: unknown): string[] {
  return list(record(answer)['models'])
    .map((entry) => text(record(entry)['name']))
    .filter((name) => name !== '')
}

const withTag = (name: string): string => (name.includes(':') ? name : `${name}:latest`)
/** Whether Ollama takes two names for the same model. */
export const sameModel = (a: string, b: string): boolean => withTag(a) === withTag(b)
