import type { coalesceDefaults, FusePolicy, heartbeatDefaults } from '@midstream/core'
import type { keepDefaults, recoveryDefaults, sessionDefaults } from '@midstream/core/gateway'
import type { breakerDefaults } from '@midstream/core/upstream'
import type { Provider } from './providers.ts'

type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : ''

/** Options of core as the file names them. */
export type Snake<T> = { readonly [Name in keyof T & string as SnakeCase<Name>]: T[Name] }

/** One model server of the file. */
export interface ModelConfig {
  readonly provider: Provider
  readonly model_name: string
  readonly endpoint?: string | undefined
  readonly api_key?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Readonly<Record<string, unknown>> | undefined
  readonly max_tokens?: number | undefined
  readonly continue_instruction?: string | undefined
  readonly max_line_chars?: number | undefined
}

/** The file, checked, with every default in its place. What the keys mean stands in `schema.ts`. */
export interface Config {
  readonly model?: (ModelConfig & { readonly allowed_models?: readonly string[] | undefined }) | undefined
  readonly models?: Readonly<Record<string, ModelConfig>> | undefined
  readonly fallback?: readonly (string | ModelConfig)[] | undefined
  readonly server: {
    readonly port: number
    readonly host: string
    readonly base_path: string
    readonly cors_allowed_origins: readonly string[]
    readonly cors_allowed_headers?: readonly string[] | undefined
    readonly allowed_hosts?: readonly string[] | undefined
    readonly static?: string | undefined
    readonly trust_proxy: boolean | number
    readonly drain_ms: number
  }
  readonly auth?:
    | { readonly secret?: string | undefined; readonly tokens?: Readonly<Record<string, string>> | undefined }
    | undefined
  readonly limits: {
    readonly runs: number
    readonly client_runs?: number | undefined
    readonly readers: number
    readonly unread_ms: number
    readonly body_bytes: number
    readonly messages: number
    readonly connections: number
    readonly header_ms: number
    readonly request_ms: number
    readonly idle_ms: number
  }
  readonly chat: {
    readonly system_prompt?: string | undefined
    readonly interrupted_note: string | false
    readonly request_options: readonly string[]
    readonly request_tools: boolean
    readonly request_think: boolean
    readonly orphan_ms: number
  }
  readonly coalesce: Snake<typeof coalesceDefaults>
  readonly heartbeat: Snake<typeof heartbeatDefaults>
  readonly fuse: Snake<FusePolicy>
  readonly recovery: Snake<typeof recoveryDefaults> | false
  readonly breaker: Snake<typeof breakerDefaults> | false
  readonly sessions: Snake<typeof sessionDefaults>
  readonly keep: Snake<typeof keepDefaults>
  readonly metrics: { readonly token?: string | undefined }
  readonly logging: { readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent' }
}
