import type { GatewayOptions } from '@midstream/core/gateway'
import { anthropic, ollama, openaiCompatible, route, type Route, type Upstream } from '@midstream/core/upstream'
import type { Config, ModelConfig, Snake } from './config.ts'
import { dialectOf } from './providers.ts'

/** What of the gateway's options stands in the file. */
export function toGatewayOptions(config: Config): GatewayOptions {
  const { chat, limits, model } = config
  return {
    upstream: upstreamsOf(config),
    basePath: config.server.base_path,
    allowedOrigins: config.server.cors_allowed_origins,
    allowedHeaders: config.server.cors_allowed_headers,
    models: model?.allowed_models,
    system: chat.system_prompt,
    interruptedNote: chat.interrupted_note,
    requestOptions: chat.request_options,
    requestTools: chat.request_tools,
    requestThink: chat.request_think,
    orphanMs: chat.orphan_ms,
    coalesce: camel(config.coalesce),
    heartbeat: camel(config.heartbeat),
    fuse: camel(config.fuse),
    recovery: config.recovery && camel(config.recovery),
    breaker: config.breaker && camel(config.breaker),
    sessions: camel(config.sessions),
    keep: camel(config.keep),
    limits: {
      runs: limits.runs,
      clientRuns: limits.client_runs,
      readers: limits.readers,
      unreadMs: limits.unread_ms,
      bodyBytes: limits.body_bytes,
      messages: limits.messages,
    },
  }
}

function upstreamsOf({ model, models = {}, fallback = [] }: Config): Upstream | Route {
  if (model && fallback.length === 0) return toUpstream(model)
  const named = model ? { [model.model_name]: model } : models
  // One object for one server of the file: its breaker is shared by all that ask it.
  const byName = Object.fromEntries(Object.entries(named).map(([name, one]) => [name, toUpstream(one)]))
  const standby = fallback.map((one) => (typeof one === 'string' ? byName[one]! : toUpstream(one)))
  return route({ models: byName, fallback: standby })
}

/** One server of the file as an upstream. @throws {TypeError} When core knows better than the schema. */
export function toUpstream(config: ModelConfig): Upstream {
  const { provider, model_name: model, endpoint: url, api_key: apiKey, headers, body } = config
  const { continue_instruction: instruction, max_line_chars: maxLineChars, max_tokens: maxTokens } = config
  const common = { url, model, headers, instruction, maxLineChars }
  if (provider === 'anthropic') return anthropic({ ...common, apiKey, body, maxTokens })
  const dialect = dialectOf(provider)
  if (dialect !== undefined) return openaiCompatible({ ...common, apiKey, body, dialect })
  // Ollama itself knows no keys, but ollama.com and what people put in front of one do.
  const bearer = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
  return ollama({ ...common, headers: { ...bearer, ...headers } })
}

function camel<T>(section: Snake<T>): T {
  const entries = Object.entries(section).map(([name, value]) => [toCamel(name), value])
  return Object.fromEntries(entries) as T
}

const toCamel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
