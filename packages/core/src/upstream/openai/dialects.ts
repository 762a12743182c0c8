import type { ChatErrorCode } from '../../wire/errors.ts'
import type { FinishReason } from '../../wire/events.ts'
import type { Json } from '../../wire/json.ts'
import { continuesReplies } from '../anthropic/models.ts'
import type { Residency } from '../reply/residency.ts'

/** How a server of OpenAI's kind is asked to go on with a reply that has begun. @public */
export interface NativeContinuation {
  /** Fields of the request; also the one that ends thinking, where a server goes on with nothing else. */
  readonly body?: Json | undefined
  /** Fields of the last message, the assistant's partial. */
  readonly message?: Json | undefined
  /** The path that stands in for `/v1`. */
  readonly path?: string | undefined
  /** Whether it goes on with a model's replies so; those of others are asked for in words. @defaultValue all */
  readonly models?: ((model: string) => boolean) | undefined
}

/** The server's own switch for thinking, as fields of the request. @public */
export interface ThinkSwitch {
  /** Sent when thinking is asked for. */
  readonly on: Json
  /** Sent when it is not wanted. */
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

/** What can go wrong with a model server. @public */
export type UpstreamErrorCode = Extract<ChatErrorCode, `upstream_${string}`>

/** What is known of the answers of one kind of server, besides what holds for all. @public */
export interface AnswerFacts {
  /**
   * Fields of a delta that hold thinking; the first that says something counts.
   * @defaultValue `['reasoning_content', 'reasoning', 'thinking']`
   */
  readonly thinkingFields?: readonly string[] | undefined
  /**
   * Whether a model's template opens the thinking in the prompt and the server does not take it out: then a reply begins with
   * thinking, and only `</think>` comes. Such a reply that stops without it is shown as the answer, too. Not asked where thinking is
   * switched off. @defaultValue never
   */
  readonly opensThinking?: ((model: string) => boolean) | undefined
  /** What proves that a reply is whole; `[DONE]`, where a server gives no reasons. @defaultValue 'finish_reason' */
  readonly proof?: 'finish_reason' | '[DONE]' | undefined
  /**
   * What finish reasons of its own mean: an end, or an error. Those of the known servers are known of all. Any other one is
   * `upstream_incomplete`, not retryable, with the text kept: it may mean a failure, so a server's own word for a whole reply has
   * to be listed here.
   */
  readonly finishReasons?: Readonly<Record<string, FinishReason | UpstreamErrorCode>> | undefined
  /**
   * What its errors mean, with a status or inside a stream; the first that fits `#status words`, or `#code type message`,
   * counts, and if none does, what is known of all.
   */
  readonly errors?: readonly (readonly [words: RegExp, code: UpstreamErrorCode])[] | undefined
}

/** Everything that is known of one kind of server: data, so that a new kind is a new line. @public */
export interface Dialect extends AnswerFacts {
  /**
   * Where it listens by default: the base of `/chat/completions`. For llama.cpp it is its own default, 8080, which is to
   * become 9931: Debian's package listens there already.
   */
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
  /** What it says when it does not go on with a reply natively, besides what is known of all. */
  readonly refusals?: RegExp | undefined
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
    // A trailing reply is continued without these, too, but then some builds say it again, and some refuse it with thinking.
    continuation: { body: { continue_final_message: true, add_generation_prompt: false, ...template.off } },
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
    // Without the second one it stays true, and the template fails; Qwen's opens a place for thoughts without the third.
    continuation: { body: { continue_final_message: true, add_generation_prompt: false, ...template.off } },
    echo: 'never',
    // With every chunk: an interrupted reply has no last one.
    send: { stream_options: { include_usage: true, continuous_usage_stats: true } },
    think: template,
    history: { systemFirst: true, userFirst: true },
    listsModels: true,
  },
  sglang: {
    url: 'http://127.0.0.1:30000/v1',
    // Without it a trailing reply silently becomes the user's, and a model that thinks takes it for thoughts without the other.
    continuation: { body: { continue_final_message: true, ...template.off } },
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
    // Newer models think unless they are told not to.
    continuation: { message: { prefix: true }, body: { thinking: { type: 'disabled' } }, path: '/beta' },
    echo: 'never',
    send: countsUsage,
    think: { on: { thinking: { type: 'enabled' } }, off: { thinking: { type: 'disabled' } } },
    history: { thinkingOfTools: 'reasoning_content' },
    listsModels: true,
  },
  dashscope: {
    url: 'https://dashscope.aliyuncs.com/compatible-mode/v1',
    apiKeyVariable: 'DASHSCOPE_API_KEY',
    // Its documents: not in thinking mode.
    continuation: { message: { partial: true }, body: { enable_thinking: false } },
    echo: 'never',
    send: countsUsage,
    think: { on: { enable_thinking: true }, off: { enable_thinking: false } },
    history: { systemFirst: true },
    listsModels: false,
  },
  mistral: {
    url: 'https://api.mistral.ai/v1',
    apiKeyVariable: 'MISTRAL_API_KEY',
    // Nothing about thinking: most models refuse the field.
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
    // A trailing reply is passed on as it is. Claude goes on with it, or says that it does not; others begin anew, silently.
    continuation: { models: (model) => /^~?anthropic\//.test(model) && continuesReplies(model) },
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
    // Templates that close a trailing reply begin a new one, silently; only `/api/chat`, which `ollama()` speaks, can be asked.
    continuation: null,
    echo: 'never',
    send: countsUsage,
    think: effort,
    history: {},
    listsModels: true,
    residency: 'ollama',
  },
}
