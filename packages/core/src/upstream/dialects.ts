import type { Json } from '../wire/json.ts'
import type { Residency } from './residency.ts'

/** How a server of OpenAI's kind is asked to go on with a reply that has begun. @public */
export interface NativeContinuation {
  /** Fields of the request. */
  readonly body?: Json | undefined
  /** Fields of the last message, the assistant's partial. */
  readonly message?: Json | undefined
  /** The path that stands in for `/v1`. */
  readonly path?: string | undefined
}

/** The server's own switch for thinking, as fields of the request. @public */
export interface ThinkSwitch {
  readonly on: Json
  readonly off: Json
  /** Where a level such as `high` goes; without it a level means on. */
  readonly level?: readonly string[] | undefined
}

/** What a server asks of a history beyond OpenAI's roles. @public */
export interface HistoryNeeds {
  /** Templates that know one system message only, at the start. */
  readonly systemFirst?: true | undefined
  /** Templates that raise an error when the assistant speaks first. */
  readonly userFirst?: true | undefined
  /** A user must not follow a tool's result directly. */
  readonly replyAfterTool?: true | undefined
  /** Ids of tool calls are this many letters and digits. */
  readonly callIdChars?: number | undefined
  /** The field by which thinking goes back up in turns with tool calls; without it the request is refused. */
  readonly thinkingOfTools?: string | undefined
}

/** Everything that is known of one kind of server: data, so that a new kind is a new line. @public */
export interface Dialect {
  /** Where it listens by default: the base of `/chat/completions`. */
  readonly url: string
  /** The variable of the environment that holds its key, which goes to the origin of `url` only. */
  readonly apiKeyVariable?: string | undefined
  /** null: it cannot be asked, or only in words. */
  readonly continuation: NativeContinuation | null
  /**
   * Whether it says the partial again, in front of what is new. `maybe`: some builds do; then a copy counts only from 16
   * characters up.
   */
  readonly echo: 'never' | 'maybe' | 'always'
  /** Fields of every request. */
  readonly send: Json
  /** How thinking is switched on and off. */
  readonly think: ThinkSwitch
  /** What its templates ask of a history. */
  readonly history: HistoryNeeds
  /** Whether `GET /models` lists every model that it answers for. */
  readonly listsModels: boolean
  /** Says 503 while the model loads; a path beside `/v1`. */
  readonly health?: string | undefined
  /** By what it tells, while it is silent, that it is loading the model. */
  readonly residency?: Residency | undefined
}

/** @public */
export type DialectName =
  | 'openai'
  | 'llamacpp'
  | 'vllm'
  | 'sglang'
  | 'lmstudio'
  | 'deepseek'
  | 'dashscope'
  | 'mistral'
  | 'openrouter'
  | 'ollama'

const countsUsage: Json = { stream_options: { include_usage: true } }
const effort: ThinkSwitch = {
  on: { reasoning_effort: 'medium' },
  off: { reasoning_effort: 'none' },
  level: ['reasoning_effort'],
}
/** Of servers that render a chat template themselves. A template that knows no such word ignores it. */
const template: ThinkSwitch = {
  on: { chat_template_kwargs: { enable_thinking: true } },
  off: { chat_template_kwargs: { enable_thinking: false } },
  level: ['chat_template_kwargs', 'reasoning_effort'],
}

/** The servers that are known by name. @public */
export const dialects: Readonly<Record<DialectName, Dialect>> = {
  openai: {
    url: 'https://api.openai.com/v1',
    apiKeyVariable: 'OPENAI_API_KEY',
    continuation: null,
    echo: 'never',
    send: countsUsage,
    think: effort,
    history: {},
    listsModels: true,
  },
  llamacpp: {
    url: 'http://127.0.0.1:8080/v1',
    // A trailing reply is continued without these, too, but then some builds say it again.
    continuation: { body: { continue_final_message: true, add_generation_prompt: false } },
    echo: 'maybe',
    // A stopped server closes a silent stream only at its next ping, and its default may be 30 s.
    // Timings with every chunk: whoever is interrupted is told how many tokens it were.
    send: { ...countsUsage, return_progress: true, timings_per_token: true, sse_ping_interval: 1 },
    think: template,
    history: { systemFirst: true, userFirst: true },
    listsModels: false,
    health: '/health',
  },
  vllm: {
    url: 'http://127.0.0.1:8000/v1',
    // Without the second one it stays true, and the template fails.
    continuation: { body: { continue_final_message: true, add_generation_prompt: false } },
    echo: 'never',
    // With every chunk: an interrupted reply has no last one.
    send: { stream_options: { include_usage: true, continuous_usage_stats: true } },
    think: template,
    history: { systemFirst: true, userFirst: true },
    listsModels: true,
  },
  sglang: {
    url: 'http://127.0.0.1:30000/v1',
    // Without it a trailing reply silently becomes the user's.
    continuation: { body: { continue_final_message: true } },
    echo: 'never',
    send: countsUsage,
    think: template,
    history: { systemFirst: true, userFirst: true },
    listsModels: true,
  },
  lmstudio: {
    url: 'http://127.0.0.1:1234/v1',
    continuation: null,
    echo: 'never',
    send: countsUsage,
    think: effort,
    history: { systemFirst: true, userFirst: true },
    listsModels: true,
    residency: 'lmstudio',
  },
  deepseek: {
    url: 'https://api.deepseek.com/v1',
    apiKeyVariable: 'DEEPSEEK_API_KEY',
    continuation: { message: { prefix: true }, path: '/beta' },
    echo: 'never',
    send: countsUsage,
    think: { on: { thinking: { type: 'enabled' } }, off: { thinking: { type: 'disabled' } } },
    history: { thinkingOfTools: 'reasoning_content' },
    listsModels: true,
  },
  dashscope: {
    url: 'https://dashscope.aliyuncs.com/compatible-mode/v1',
    apiKeyVariable: 'DASHSCOPE_API_KEY',
    continuation: { message: { partial: true } },
    echo: 'never',
    send: countsUsage,
    think: { on: { enable_thinking: true }, off: { enable_thinking: false } },
    history: { systemFirst: true },
    listsModels: false,
  },
  mistral: {
    url: 'https://api.mistral.ai/v1',
    apiKeyVariable: 'MISTRAL_API_KEY',
    continuation: { message: { prefix: true } },
    echo: 'always',
    // Usage comes unasked, and unknown fields are refused.
    send: {},
    think: { ...effort, on: { reasoning_effort: 'high' } },
    history: { systemFirst: true, userFirst: true, replyAfterTool: true, callIdChars: 9 },
    listsModels: true,
  },
  openrouter: {
    url: 'https://openrouter.ai/api/v1',
    apiKeyVariable: 'OPENROUTER_API_KEY',
    // A trailing reply is passed on as it is: what becomes of it is the provider's.
    continuation: {},
    echo: 'maybe',
    send: countsUsage,
    think: {
      on: { reasoning: { enabled: true } },
      off: { reasoning: { enabled: false } },
      level: ['reasoning', 'effort'],
    },
    history: {},
    listsModels: false,
  },
  ollama: {
    url: 'http://127.0.0.1:11434/v1',
    continuation: {},
    echo: 'maybe',
    send: countsUsage,
    think: effort,
    history: {},
    listsModels: true,
    residency: 'ollama',
  },
}

/** Words by which servers say that they do not continue a reply, or not with thinking. All were seen in the wild. */
const refusals: readonly RegExp[] = [
  /does not support assistant message prefill/i,
  /prefill is incompatible with enable[_\s-]?thinking/i,
  /conversation must end with a user message/i,
  /2 or more assistant messages/i,
  /continue_final_message is set but/i,
  /Expected last role User or Tool/i,
  /Cannot continue an assistant message/i,
  /enable_thinking parameter is restricted to True/i,
  /invalid reasoning value/i,
  /reasoning is mandatory/i,
]

/** Whether what a server said means that it cannot be asked that way: known words, or the names of the fields themselves. */
export function refusesContinuation(said: string, { body = {}, message = {} }: NativeContinuation): boolean {
  const fields = [...Object.keys(body), ...Object.keys(message)]
  return refusals.some((words) => words.test(said)) || fields.some((name) => new RegExp(`\\b${name}\\b`).test(said))
}
