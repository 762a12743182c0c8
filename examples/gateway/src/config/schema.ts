import { coalesceDefaults, fuseDefaults, heartbeatDefaults } from '@midstream/core'
import {
  gatewayDefaults,
  keepDefaults,
  limitDefaults,
  recoveryDefaults,
  sessionDefaults,
} from '@midstream/core/gateway'
import { breakerDefaults, dialects } from '@midstream/core/upstream'
import * as z from 'zod'
import type { Config } from './config.ts'
import { providers } from './providers.ts'

// The one description of the file: it checks it, fills in the defaults, and makes config.schema.json and the README's table.

/** Timers of a longer time fire at once. */
const longestMs = 2_147_483_647

const ms = (least: number): z.ZodInt => z.int().min(least).max(longestMs)
const count = (): z.ZodInt => z.int().min(1)
const words = (): z.ZodString => z.string().min(1)

/** As core knows them: Capacitor's, Tauri's and Electron's, and those of browser extensions. */
const appShell = /^(?!https?:|wss?:|ftp:|data:|blob:|about:|javascript:)[a-z][a-z\d+.-]*:\/\/[\w.~-]+(?::\d{1,5})?$/
/** Where a model server is: scheme, host, path, and nothing else. */
const endpoint = words().refine(isEndpoint, {
  error: 'must be an http(s) URL without user, query or fragment, such as http://127.0.0.1:11434',
})
const origin = words().refine(isOrigin, {
  error:
    'must be an origin such as https://app.example or capacitor://localhost (no path, no slash at the end, no * in it), or "*"',
})
const host = words().regex(/^(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i, {
  error: 'must be a host as a browser sends it, such as chat.example or localhost:18789 (no scheme, no path)',
})
const secret = z.string().regex(/^[\x21-\x7e]{16,}$/, {
  error: 'must be 16 or more characters without spaces: `openssl rand -hex 32` makes a good one',
})
const header = z.string().regex(/^[\t\x20-\x7e]*$/, { error: 'must be plain ASCII text on one line' })
const headerName = z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, { error: 'must be the name of a header' })
const name = z.string().regex(/^[\w.:/-]{1,128}$/, { error: 'must be letters, digits or any of _ . : / -' })

const modelFields = {
  provider: z.enum(providers).describe('What kind of server it is.'),
  model_name: words().describe('The model, by the name that the server has for it.'),
  endpoint: endpoint
    .optional()
    .describe(
      `Where it is; of OpenAI's kind the base of \`/chat/completions\`, mostly with \`/v1\`. Default: where that kind listens, ` +
        `e.g. \`http://127.0.0.1:11434\` or \`${dialects.openai.url}\`.`,
    ),
  api_key: z
    .string()
    .regex(/^[\x21-\x7e]+$/, { error: 'must be a key without spaces' })
    .optional()
    .describe(
      'Goes up, and nowhere else. Default for hosted services: `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` and the like of the environment.',
    ),
  headers: z
    .record(headerName, header)
    .optional()
    .describe('Headers of every request, but for those of the connection, such as `Host`.'),
  body: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Fields of every request, e.g. `{ temperature: 0.6 }`. Not for `ollama`.'),
  max_tokens: count()
    .optional()
    .describe('Longest answer, thinking included, tokens. For `anthropic`, where it is 16384.'),
  continue_instruction: words()
    .optional()
    .describe('Asks for the rest of a reply where the server cannot continue one by itself.'),
  max_line_chars: count().optional().describe('Longest line of an answer, UTF-16 units. Default: 1048576.'),
}
const upstream = z.strictObject(modelFields)
const model = z.strictObject({
  ...modelFields,
  allowed_models: z
    .array(words())
    .min(1)
    .optional()
    .describe('Names of its models that a request may ask for. Default: `model_name` alone.'),
})

const server = z.strictObject({
  port: z.int().min(0).max(65_535).default(18_789).describe('0 takes any free port.'),
  host: words().default('127.0.0.1').describe('Address to listen on; `0.0.0.0` is every one of this machine.'),
  base_path: z
    .string()
    .regex(/^(\/[\w.~-]+)+$/, { error: 'must look like /api/chat' })
    .default(gatewayDefaults.basePath)
    .describe('Where the chat is.'),
  cors_allowed_origins: z
    .array(origin)
    .default([])
    .describe('Pages of other origins that may use it; `"*"` is every page, and cannot go with `auth`.'),
  cors_allowed_headers: z
    .array(headerName)
    .optional()
    .describe(
      'Headers that those pages may send besides `Authorization`, `Content-Type` and `Last-Event-ID`. Default: any from listed origins, none from `"*"`.',
    ),
  allowed_hosts: z
    .array(host)
    .min(1)
    .optional()
    .describe(
      'Names (the `Host` header) by which it may be asked. Default: any; at a loopback `host`, `localhost`, `127.0.0.1` and `[::1]` with the port. Probes may ask by address, too.',
    ),
  static: words()
    .optional()
    .describe('A folder to serve beside the chat, relative to this file, which must not be in it.'),
  trust_proxy: z
    .union([z.boolean(), z.int().min(1).max(16)])
    .default(false)
    .describe('How many proxies in front add to `X-Forwarded-For` (true: one); without it that header is not read.'),
  drain_ms: ms(0).default(10_000).describe('How long running answers may go on after SIGTERM or SIGINT, ms.'),
})

const limits = z.strictObject({
  runs: count().default(limitDefaults.runs).describe('Runs at once; more are 503.'),
  client_runs: count()
    .optional()
    .describe('Runs at once of one client, by its address; more are 429. Default: no limit.'),
  readers: count().default(limitDefaults.readers).describe('Readers of one run; more are 429.'),
  unread_ms: ms(1)
    .default(limitDefaults.unreadMs)
    .describe('How long a client that takes nothing of its answer keeps its connection, ms.'),
  body_bytes: count()
    .default(limitDefaults.bodyBytes)
    .describe('Largest body of a request, bytes; a larger one is 413.'),
  messages: count().default(limitDefaults.messages).describe('Messages of a request; more are 400.'),
  connections: count()
    .default(10_000)
    .describe('Connections at once; on more of them requests are 503, and beyond twice as many they are closed.'),
  header_ms: ms(1).default(10_000).describe('Longest time for the head of a request to arrive, ms.'),
  request_ms: ms(1).default(30_000).describe('Longest time for a whole request to arrive, ms.'),
  idle_ms: ms(1).default(65_000).describe('How long a connection is kept for the next request, ms.'),
})

const auth = z.strictObject({
  secret: secret.optional().describe('One for everybody: all who have it are one owner.'),
  tokens: z
    .record(name, secret)
    .refine((tokens) => Object.keys(tokens).length > 0, { error: 'must name at least one owner' })
    .optional()
    .describe('One for each owner, by name. What one owner starts, the others cannot see, interrupt or join.'),
})

const chat = z.strictObject({
  system_prompt: words()
    .optional()
    .describe('Goes before every history; system messages of a request are then refused.'),
  interrupted_note: z
    .union([words(), z.literal(false)])
    .default(gatewayDefaults.interruptedNote)
    .describe('What the model is told after a reply that a person cut off; false tells it nothing.'),
  request_options: z
    .array(words())
    .default([...gatewayDefaults.requestOptions])
    .describe('Names in `options` that a request may set.'),
  request_tools: z
    .boolean()
    .default(false)
    .describe('Whether a request may bring tools, which the model may then call.'),
  request_think: z.boolean().default(false).describe('Whether a request may say how much is to be thought.'),
  orphan_ms: ms(0)
    .default(gatewayDefaults.orphanMs)
    .describe('How long a run goes on whose client dropped and promised to come back, ms.'),
})

const fuse = z.strictObject({
  malformed: count().default(fuseDefaults.malformed).describe('Unreadable frames in a row that end a run.'),
  stall_ms: ms(1).default(fuseDefaults.stallMs).describe('Longest silence once deltas flow, ms.'),
  tool_stall_ms: ms(1).default(fuseDefaults.toolStallMs).describe('The same when the request offers tools, ms.'),
  progress_ms: ms(1)
    .default(fuseDefaults.progressMs)
    .describe('Longest time without a delta while the server still shows that it is alive, ms.'),
  first_delta_ms: ms(1)
    .default(fuseDefaults.firstDeltaMs)
    .describe('Longest wait for the first delta, ms: a cold model says nothing while it loads.'),
  max_bytes: count().default(fuseDefaults.maxBytes).describe('Largest reply, bytes.'),
  max_run_ms: ms(1).default(fuseDefaults.maxRunMs).describe('Longest run, ms.'),
})

const recovery = z.strictObject({
  max_attempts: count()
    .default(recoveryDefaults.maxAttempts)
    .describe('Attempts that gave something and failed all the same, before the run fails.'),
  max_wait_ms: ms(0)
    .default(recoveryDefaults.maxWaitMs)
    .describe('How long the model server may be unreachable before the run fails, ms.'),
  failover_ms: ms(0)
    .default(recoveryDefaults.failoverMs)
    .describe('How long it may be unreachable before one of `fallback` goes on, ms.'),
})

const breaker = z.strictObject({
  failures: count()
    .default(breakerDefaults.failures)
    .describe('Runs in a row that failed in spite of recovery, before the server is left alone.'),
  probe_ms: ms(1).default(breakerDefaults.probeMs).describe('How long it is, before one run may try, ms.'),
})

const logging = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('`debug` adds the raw words of a model server that failed, which may hold what people wrote.'),
})

/** What the file may hold. */
export const configSchema: z.ZodType<Config> = z.strictObject({
  model: model.optional().describe('The model server.'),
  models: z
    .record(name, upstream)
    .refine((models) => Object.keys(models).length > 0, { error: 'must name at least one model' })
    .optional()
    .describe('Instead of `model`: several, by names of yours that a request may ask for. The first is the default.'),
  fallback: z
    .array(z.union([name, upstream]))
    .min(1)
    .optional()
    .describe(
      'Who goes on, in this order, when a model server has failed: names of `models`, or more of the same kind.',
    ),
  server: server.prefault({}),
  auth: auth.optional().describe('Who may chat: `Authorization: Bearer …`. Default: everybody.'),
  limits: limits.prefault({}),
  chat: chat.prefault({}),
  coalesce: z
    .strictObject({
      window_ms: ms(0)
        .default(coalesceDefaults.windowMs)
        .describe('At most one text frame in this time, ms; 0 sends every delta by itself.'),
    })
    .prefault({}),
  heartbeat: z
    .strictObject({
      interval_ms: ms(1)
        .default(heartbeatDefaults.intervalMs)
        .describe('A ping is sent when a reader got nothing for this long, ms.'),
    })
    .prefault({}),
  fuse: fuse.prefault({}),
  recovery: z
    .union([recovery, z.literal(false)])
    .prefault({})
    .describe('When a server that failed is asked again; false: never.'),
  breaker: z
    .union([breaker, z.literal(false)])
    .prefault({})
    .describe('When a server is left alone for a while; false: never.'),
  sessions: z
    .strictObject({
      max_idle: z.int().min(0).default(sessionDefaults.maxIdle).describe('Idle sessions remembered.'),
      max_idle_per_owner: z
        .int()
        .min(0)
        .default(sessionDefaults.maxIdlePerOwner)
        .describe('The same of one owner; without `auth` everybody is one.'),
      idle_ms: ms(1).default(sessionDefaults.idleMs).describe('How long each is, after its last use, ms.'),
    })
    .prefault({}),
  keep: z
    .strictObject({
      keep_run_ms: ms(0).default(keepDefaults.keepRunMs).describe('How long an ended run stays readable, ms.'),
      max_runs: z.int().min(0).default(keepDefaults.maxRuns).describe('Ended runs kept.'),
      max_bytes: z.int().min(0).default(keepDefaults.maxBytes).describe('Most that they hold together, bytes.'),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      token: secret.optional().describe('Guards `/metrics`: `Authorization: Bearer …`. Default: open.'),
    })
    .prefault({}),
  logging: logging.prefault({}),
})

function isOrigin(value: string): boolean {
  // They are compared, not matched: a star in a name would let in nobody.
  if (value === '*' || value === 'file://' || appShell.test(value)) return true
  return /^https?:/.test(value) && !value.includes('*') && URL.canParse(value) && new URL(value).origin === value
}

function isEndpoint(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, username, password, search, hash } = new URL(value)
  return /^https?:$/.test(protocol) && username + password + search + hash === ''
}
