import type { Progress } from '../../wire/events.ts'
import { list, record, text } from '../../wire/json.ts'
import type { ModelsSeen } from './loading.ts'

/** Servers that load a model when it is asked for, and tell elsewhere which ones are there. @public */
export type Residency = 'ollama' | 'lmstudio'

/** Asks one of the server's own paths, which stand beside `/v1`. */
type Get = (path: string) => Promise<unknown>

const looks: Readonly<Record<Residency, (get: Get) => Promise<ModelsSeen>>> = {
  async ollama(get) {
    const [resident, all] = await Promise.all([get('/api/ps'), get('/api/tags')])
    return (model) => {
      const known = list(record(all)['models']).map(record)
      const entry = known.find(({ name }) => sameModel(text(name), model))
      return stageOf(
        modelNames(resident).some((name) => sameModel(name, model)),
        entry?.['size'],
      )
    }
  },
  // Its REST API since 0.4: `{ models: [{ key, size_bytes, loaded_instances: [{ id }] }] }`.
  async lmstudio(get) {
    const models = list(record(await get('/api/v1/models'))['models']).map(record)
    return (model) => {
      const instances = (entry: (typeof models)[number]): readonly unknown[] => list(entry['loaded_instances'])
      const isMeant = (entry: (typeof models)[number]): boolean =>
        entry['key'] === model || instances(entry).some((one) => record(one)['id'] === model)
      const entry = models.find(isMeant)
      return entry && stageOf(instances(entry).length > 0, entry['size_bytes'])
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
