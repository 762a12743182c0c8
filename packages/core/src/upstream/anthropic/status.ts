import { list, record, text } from '../../wire/json.ts'
import { failedStatus, getJson } from '../http/http.ts'
import type { Transport } from '../http/transport.ts'
import type { UpstreamStatus } from '../upstream.ts'

/** Most models in one page of the list. */
const pageSize = 1_000

/** How the API is, by its list of models. Never throws. */
export async function askStatus(
  asked: {
    readonly transport: Transport
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly model: string
  },
  signal: AbortSignal,
): Promise<UpstreamStatus> {
  const { transport, url, headers, model } = asked
  try {
    const models = list(record(await getJson(transport, `${url}/v1/models?limit=${pageSize}`, headers, signal))['data'])
    const names = models.map((entry) => text(record(entry)['id']))
    return { state: names.some((name) => isSame(model, name)) ? 'ready' : 'model_missing' }
  } catch (failure) {
    return failedStatus(failure)
  }
}

/** An alias, such as `claude-haiku-4-5` or `claude-3-7-sonnet-latest`, is listed with its date only. */
function isSame(model: string, listed: string): boolean {
  const alias = model.replace(/-(?:latest|0)$/, '')
  return listed === model || (listed.startsWith(`${alias}-`) && /^\d{8}$/.test(listed.slice(alias.length + 1)))
}
