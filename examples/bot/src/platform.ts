/** What somebody asked the robot, whatever the platform. */
export interface Question {
  /** The conversation it belongs to: a group, or one person. Unique over platforms. */
  readonly chatId: string
  /** The platform delivers some messages twice; this tells. */
  readonly messageId: string
  /** Null when the message is of a kind that the robot does not read, such as a picture. */
  readonly text: string | null
}

/** A callback of a platform, read whole. */
export interface BotRequest {
  readonly method: string
  readonly url: URL
  header(name: string): string | null
  readonly body: string
}

/** What the platform gets back. */
export interface BotReply {
  readonly status: number
  readonly type?: 'application/json' | 'text/plain' | undefined
  readonly body?: string | undefined
}

/** Answers the callbacks of one platform. Never rejects. */
export interface PlatformRoute {
  (request: BotRequest): Promise<BotReply>
  /** Settles when what has been answered is shown, as far as it depends on us. */
  shown(): Promise<void>
}

/** For whoever cannot show who they are; it does not say why. */
export const unauthorized: BotReply = Object.freeze({ status: 401 })

/**
 * What is said in a group, without the mention of the robot.
 * @param name - What the robot is called. Without it, or where it is not found, a word with an `@` at the start of the text, or
 * else at its end, is taken for the mention: the platform delivers nothing that has none.
 */
export function withoutMention(text: string, name?: string): string {
  const quoted = name?.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
  const rest = quoted === undefined ? text : text.replaceAll(new RegExp(`(^|\\s)@${quoted}(?!\\S)`, 'gu'), ' ')
  return (rest === text ? text.replace(/^\s*@\S+|\s@\S+\s*$/u, '') : rest).trim()
}

/** An object of JSON, or undefined. */
export function parseObject(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asObject(JSON.parse(json))
  } catch {
    return undefined // not JSON
  }
}

/** The value, when it is an object. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}

/** The value, when it is a text with something in it. */
export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
