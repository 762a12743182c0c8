import type { UpstreamErrorCode } from '../../wire/errors.ts'
import type { FinishReason } from '../../wire/events.ts'
import type { Json } from '../../wire/json.ts'
import type { OptionNames } from '../option-names.ts'
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
  /** Its own names for options, and those that it refuses; only at its own server, `url`. @defaultValue none */
  readonly options?: OptionNames | undefined
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
