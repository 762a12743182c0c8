import { dialects } from '@midstream/core/upstream'
import type { Config, ModelConfig } from './config/config.ts'
import { dialectOf, keyOf } from './config/providers.ts'
import type { ServerStanding, Standing } from './server/standing.ts'

/** Where a model server is, as it will be asked. */
function addressOf({ provider, endpoint }: ModelConfig): string {
  const dialect = dialectOf(provider)
  if (endpoint !== undefined) return endpoint
  return dialect === undefined ? (keyOf(provider)?.url ?? 'http://127.0.0.1:11434') : dialects[dialect].url
}

/** What kind of server answers for a name that a request may give. */
export function createUpstreamNames({ model, models = {} }: Config): (name: string) => string {
  return (name) => {
    const asked = Object.hasOwn(models, name) ? models[name] : model
    return asked?.provider ?? 'unknown'
  }
}

/** One line for each model server: which it is, where, and whether it answers. */
export function describeServers(config: Config, standing: Standing): string[] {
  const { model, models = {}, fallback = [] } = config
  const waitMs = config.recovery === false ? 0 : config.recovery.max_wait_ms
  const lines = model ? [describe('Model', model, standing.upstream, waitMs)] : []
  for (const [name, one] of Object.entries(models)) {
    lines.push(describe(`Model ${name}:`, one, standing.models?.[name], waitMs))
  }
  for (const [i, one] of fallback.entries()) {
    if (typeof one === 'string') lines.push(`Fallback ${one}`)
    else lines.push(describe('Fallback', one, standing.fallback?.[i], waitMs))
  }
  return lines
}

function describe(what: string, config: ModelConfig, standing: ServerStanding | undefined, waitMs: number): string {
  const { provider, model_name: model } = config
  return `${what} ${model} by ${provider} at ${addressOf(config)}: ${condition(config, standing, waitMs)}`
}

function condition(config: ModelConfig, standing: ServerStanding | undefined, waitMs: number): string {
  const { provider, model_name: model } = config
  const isBare = dialectOf(provider) !== undefined && new URL(addressOf(config)).pathname === '/'
  const bareHint = 'does the endpoint lack its /v1?'
  const { state, status } = standing ?? { state: 'unreachable' }
  switch (state) {
    case 'ready':
      return status !== undefined && isBare ? `it answers with HTTP ${status}: ${bareHint}` : 'it answers'
    case 'idle':
      return 'it answers; the model is loaded by the first request'
    case 'model_missing':
      return `it answers, but has no model of that name${provider === 'ollama' ? `: ollama pull ${model}` : ''}`
    case 'unauthorized':
      return 'IT REFUSES THE KEY: is api_key right?'
    case 'unreachable': {
      if (status !== undefined) return `IT ANSWERS WITH HTTP ${status}${status < 500 ? ': is the endpoint right?' : ''}`
      const hint = isBare ? bareHint : 'is it running, and is the endpoint right?'
      return `IT DOES NOT ANSWER: ${hint}${waitMs > 0 ? ` Requests wait ${waitMs / 1_000} s for it.` : ''}`
    }
  }
}
