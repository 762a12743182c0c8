import { realpathSync, statSync } from 'node:fs'
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { Config, ModelConfig } from './config.ts'
import { closest } from './explain.ts'
import { discreetName } from './discreet.ts'
import { dialectOf, keyOf } from './providers.ts'
import type { Path, Problem } from './problem.ts'
import type { Environment } from './variables.ts'

/** What else the values are checked against. */
export interface Surroundings {
  readonly environment: Environment
  /** Of the file: what paths in it are relative to. */
  readonly folder: string
}

/** What else is known of the file itself. */
export interface Written {
  /** Its name. */
  readonly file: string
  /** Whether a value stands in it, and is fine by itself; else its default is in its place. */
  isSet(...path: Path): boolean
}

/** Values that are fine by themselves, but not together, or not here. */
export function checkCombinations(config: Config, written: Written, surroundings: Surroundings): Problem[] {
  const problems: Problem[] = []
  const complain = (path: Path, message: string, at: Problem['at'] = 'value'): void =>
    void problems.push({ path, at, message })
  checkModels(config, surroundings, complain)
  checkAccess(config, complain)
  checkTimes(config, complain)
  checkBounds(config, written, complain)
  checkPlaces(config, written, surroundings, complain)
  return problems
}

/** Headers that the HTTP client makes of the request and its connection; others of these would break both. */
const framing =
  /^(host|content-length|content-encoding|transfer-encoding|connection|keep-alive|proxy-connection|te|trailer|upgrade|expect)$/i

type Complain = (path: Path, message: string, at?: Problem['at']) => void

function checkModels({ model, models, fallback }: Config, { environment }: Surroundings, complain: Complain): void {
  if (model && models) complain(['models'], 'cannot go with model: name one model server, or several', 'key')
  if (!model && !models)
    complain(
      ['model'],
      'is missing; name a model server by provider and model_name (or several, under models)',
      'absence',
    )
  if (model?.allowed_models && fallback)
    complain(
      ['model', 'allowed_models'],
      'cannot go with fallback, where each server is asked for its own model; give each a name under models instead',
      'key',
    )
  const names = Object.keys(models ?? {})
  for (const [i, one] of (fallback ?? []).entries()) {
    if (typeof one !== 'string') checkModel(one, ['fallback', i], environment, complain)
    else if (!names.includes(one)) {
      const near = closest(one, names)
      const hint = near
        ? `did you mean "${discreetName(near)}"?`
        : names.length > 0
          ? `it has ${names.map(discreetName).join(', ')}`
          : 'there is none'
      complain(['fallback', i], `must be a name of models; ${hint}`)
    }
  }
  if (model) checkModel(model, ['model'], environment, complain)
  for (const [name, one] of Object.entries(models ?? {})) checkModel(one, ['models', name], environment, complain)
}

function checkModel(model: ModelConfig, path: Path, environment: Environment, complain: Complain): void {
  const { provider, endpoint, api_key: key, headers = {}, body, max_tokens: maxTokens } = model
  const headerNames = new Set(Object.keys(headers).map((name) => name.toLowerCase()))
  if (body && provider === 'ollama') complain([...path, 'body'], 'is not for provider ollama', 'key')
  if (maxTokens !== undefined && provider !== 'anthropic')
    complain(
      [...path, 'max_tokens'],
      'is for provider anthropic only; others take it as `body: { max_tokens: … }`',
      'key',
    )
  const suffix = dialectOf(provider) ? '/chat/completions' : provider === 'anthropic' ? '/v1/messages' : '/api/chat'
  if (endpoint?.replace(/\/+$/, '').endsWith(suffix))
    complain([...path, 'endpoint'], `must end before ${suffix}, which is added`)
  // Whoever meant Ollama's OpenAI wire would get 404 for every request.
  if (provider === 'ollama' && endpoint && /\/v1\/*$/.test(endpoint))
    complain([...path, 'endpoint'], 'must be without /v1 for provider ollama; with it, the provider is ollama_openai')
  for (const name of Object.keys(headers).filter((one) => framing.test(one)))
    complain([...path, 'headers', name], 'belongs to the connection, and is set by this program alone', 'key')
  if (headerNames.has('x-conversation-id'))
    complain([...path, 'headers'], 'must not hold X-Conversation-Id: with it llama.cpp would not stop when interrupted')
  const own = keyOf(provider)
  if (!own || key !== undefined || headerNames.has('authorization') || headerNames.has('x-api-key')) return
  if (new URL(endpoint ?? own.url).origin === new URL(own.url).origin && !environment[own.variable]?.trim())
    complain(
      [...path, 'api_key'],
      `is missing, as is ${own.variable} in the environment: ${new URL(own.url).host} answers nobody without one`,
      'absence',
    )
}

function checkAccess({ auth, metrics, server, chat }: Config, complain: Complain): void {
  if (auth && server.cors_allowed_origins.includes('*'))
    complain(
      ['server', 'cors_allowed_origins'],
      '"*" cannot go with auth: name the origins of the pages that may send credentials',
    )
  if (auth?.secret !== undefined && auth.tokens)
    complain(['auth', 'secret'], 'cannot go with tokens: one secret for everybody, or a token for each owner', 'key')
  if (auth && auth.secret === undefined && !auth.tokens)
    complain(['auth'], 'must have a secret or tokens; without auth everybody may chat', 'absence')
  const owners = new Map<string, string>()
  for (const [owner, token] of Object.entries(auth?.tokens ?? {})) {
    const other = owners.get(token)
    if (other !== undefined) complain(['auth', 'tokens', owner], 'must not be the token of another owner')
    owners.set(token, owner)
  }
  if (metrics.token !== undefined && (owners.has(metrics.token) || metrics.token === auth?.secret))
    complain(['metrics', 'token'], 'must be another one than those of auth: who reads figures need not chat')
  if (chat.interrupted_note !== false && chat.interrupted_note.trim() === '')
    complain(['chat', 'interrupted_note'], 'must be text, or false')
}

function checkTimes({ heartbeat, coalesce, fuse, limits }: Config, complain: Complain): void {
  if (heartbeat.interval_ms >= fuse.first_delta_ms)
    complain(
      ['heartbeat', 'interval_ms'],
      `must be less than fuse.first_delta_ms (${fuse.first_delta_ms}), or no ping ever comes`,
    )
  if (coalesce.window_ms >= heartbeat.interval_ms)
    complain(
      ['coalesce', 'window_ms'],
      `must be less than heartbeat.interval_ms (${heartbeat.interval_ms}), or pings overtake text`,
    )
  if (limits.header_ms > limits.request_ms)
    complain(
      ['limits', 'header_ms'],
      `must be at most limits.request_ms (${limits.request_ms}): the head is a part of it`,
    )
}

/** Bounds that another one always comes before. A default is nobody's wish, and may be higher. */
function checkBounds({ fuse, limits }: Config, { isSet }: Written, complain: Complain): void {
  const mustBeIn = (section: 'fuse' | 'limits', name: string, value: number, outer: string, bound: number): void => {
    if (value > bound && isSet(section, name) && isSet(section, outer))
      complain([section, name], `must be at most ${section}.${outer} (${bound}), which would always be first`)
  }
  for (const name of ['first_delta_ms', 'stall_ms', 'tool_stall_ms', 'progress_ms'] as const)
    mustBeIn('fuse', name, fuse[name], 'max_run_ms', fuse.max_run_ms)
  mustBeIn('limits', 'client_runs', limits.client_runs ?? 0, 'runs', limits.runs)
}

function checkPlaces({ server }: Config, { file }: Written, { folder }: Surroundings, complain: Complain): void {
  const own = ['/healthz', '/readyz', '/metrics'].find(
    (path) => server.base_path === path || server.base_path.startsWith(`${path}/`),
  )
  if (own !== undefined) complain(['server', 'base_path'], `must not be ${own}, which has a meaning of its own`)
  if (server.static === undefined) return
  const path = resolve(folder, server.static)
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    return complain(
      ['server', 'static'],
      'must be a folder that is there; one that is not absolute is looked for beside this file',
    )
  const site = realPath(path)
  const named = resolve(folder, basename(file))
  // A link to it that stands in the site is served as it is itself.
  if (holds(site, realPath(named)) || holds(site, join(realPath(folder), basename(file))))
    complain(['server', 'static'], 'must not hold this file, which would be published with all that is in it')
  else if (holds(site, realPath(process.execPath)))
    complain(['server', 'static'], 'must not hold the program itself: give the site a folder of its own')
}

function holds(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** Without links; as it is where that cannot be told, as for a file that is a pipe. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return path
  }
}
