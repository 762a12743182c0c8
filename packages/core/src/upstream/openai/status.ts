import type { Dialect } from './dialect.ts'
import { childAbort } from '../http/child-abort.ts'
import { failedStatus, getJson } from '../http/http.ts'
import { list, record, text } from '../../wire/json.ts'
import type { Transport } from '../http/transport.ts'
import type { UpstreamStatus } from '../upstream.ts'

interface Asked {
  readonly transport: Transport
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly model: string
  readonly dialect: Dialect
}

/** How a server of OpenAI's kind is: by its list of models, and by its health where it tells that. Never throws. */
export async function askStatus(asked: Asked, signal: AbortSignal): Promise<UpstreamStatus> {
  const { transport, url, headers, model, dialect } = asked
  try {
    if (dialect.health !== undefined) {
      const health = await head(transport, `${url.replace(/\/v1$/, '')}${dialect.health}`, headers, signal)
      if (health === 503) return { state: 'idle' }
    }
    if (!dialect.listsModels) {
      const status = await head(transport, `${url}/models`, headers, signal)
      return status >= 200 && status < 300 ? { state: 'ready' } : failedStatus({ cause: status })
    }
    const models = list(record(await getJson(transport, `${url}/models`, headers, signal))['data'])
    const names = models.map((entry) => text(record(entry)['id']))
    return { state: names.some((name) => name === model || name === `${model}:latest`) ? 'ready' : 'model_missing' }
  } catch (failure) {
    return failedStatus(failure)
  }
}

/** The status of a GET; its body is left. */
function head(
  transport: Transport,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const left = childAbort(signal)
  return new Promise((resolve, reject) => {
    transport(
      { method: 'GET', url, headers, signal: left.signal },
      {
        head({ status }) {
          resolve(status)
          left.abort()
        },
        data: () => undefined,
        end: () => undefined,
        error: reject,
      },
    )
  })
}
