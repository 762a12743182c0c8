import { parseArgs } from 'node:util'
import type { languages } from './conversation/words.ts'
import { readAesKey } from './wecom/crypt.ts'

/** What the command is to do. */
export interface BotConfig {
  readonly port: number
  readonly host: string
  readonly language: keyof typeof languages
  /** An Ollama and one of its models; undefined is the embedded model. */
  readonly upstream: { readonly url: string; readonly model: string } | undefined
  readonly dingtalk: DingtalkConfig | undefined
  readonly wecom: WecomConfig | undefined
}

/** The robot at DingTalk. */
interface DingtalkConfig {
  readonly clientId: string
  readonly clientSecret: string
  readonly robotCode: string | undefined
  readonly cardTemplateId: string | undefined
  readonly cardKey: string | undefined
  readonly updateMs: number | undefined
  readonly cardBytes: number | undefined
  readonly apiUrl: string | undefined
  readonly webhookOrigin: string | undefined
}

/** The robot at WeCom. */
interface WecomConfig {
  readonly token: string
  readonly aesKey: string
  readonly robotName: string | undefined
}

/** What the command line asks for. */
export type Flags = 'help' | 'serve' | { readonly demo: 'dingtalk' | 'wecom' }

/** What `--help` prints. */
export const usage: string = `Chat robots for DingTalk and WeCom.

  node dist/main.js                           serves the callbacks; the environment says for which platforms
  npm run demo:bot [-- --demo=wecom]          a chat in this terminal, with a stand-in for the platform

  DINGTALK_CLIENT_ID, DINGTALK_CLIENT_SECRET     the app's credentials (of old: AppKey, AppSecret)
  DINGTALK_CARD_TEMPLATE_ID                      an AI card template; without it answers are posted whole
  DINGTALK_CARD_KEY                              its streaming variable (default content)
  DINGTALK_ROBOT_CODE                            default: the client id
  DINGTALK_UPDATE_MS, DINGTALK_CARD_BYTES        pace and size of cards (default 1000, 3000)
  WECOM_TOKEN, WECOM_AES_KEY                     Token and EncodingAESKey of the AI robot's callback
  WECOM_ROBOT_NAME                               what it is called in groups, where that has a space in it
  BOT_PORT, BOT_HOST                             default 8787, 127.0.0.1
  BOT_LANGUAGE                                   zh or en: the robot's own sentences (default zh)
  BOT_OLLAMA_URL, BOT_MODEL                      a model server; without it, the embedded model

Callbacks: /dingtalk and /wecom. At least one platform needs its credentials.
`

/** @throws {TypeError} For an argument that does not exist. */
export function readFlags(args: readonly string[]): Flags {
  // `--demo` alone is fine, and parseArgs knows no optional values.
  const spelled = args.map((argument) => (argument === '--demo' ? '--demo=dingtalk' : argument))
  const { values } = parseArgs({
    args: spelled,
    options: { demo: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  const { demo, help } = values
  if (help === true) return 'help'
  if (demo === undefined) return 'serve'
  if (demo !== 'dingtalk' && demo !== 'wecom') throw new TypeError(`--demo must be dingtalk or wecom, got '${demo}'`)
  return { demo }
}

type Env = Readonly<Record<string, string | undefined>>

/**
 * Reads the environment.
 * @throws {TypeError | RangeError} In words for the person who starts it: what is missing, or makes no sense. Never a secret.
 */
export function readConfig(env: Env): BotConfig {
  const text = (name: string): string | undefined => env[name]?.trim() || undefined
  const number = (name: string, max: number): number | undefined => {
    const value = text(name)
    if (value === undefined) return undefined
    if (!/^\d{1,9}$/.test(value) || Number(value) > max) throw new RangeError(`${name} must be a number up to ${max}`)
    return Number(value)
  }
  const pair = (first: string, second: string): readonly [string, string] | undefined => {
    const [one, other] = [text(first), text(second)]
    if (one === undefined && other === undefined) return undefined
    if (one === undefined || other === undefined) {
      throw new TypeError(`${one === undefined ? first : second} is missing: ${first} and ${second} go together`)
    }
    return [one, other]
  }
  const address = (name: string): string | undefined => {
    const value = text(name)
    if (value !== undefined && !/^https?:$/.test(URL.canParse(value) ? new URL(value).protocol : '')) {
      throw new TypeError(`${name} must be an http(s) URL`)
    }
    return value?.replace(/\/+$/, '')
  }

  const app = pair('DINGTALK_CLIENT_ID', 'DINGTALK_CLIENT_SECRET')
  const robot = pair('WECOM_TOKEN', 'WECOM_AES_KEY')
  const server = pair('BOT_OLLAMA_URL', 'BOT_MODEL')
  const language = text('BOT_LANGUAGE') ?? 'zh'
  if (language !== 'zh' && language !== 'en') throw new TypeError('BOT_LANGUAGE must be zh or en')
  if (robot) {
    try {
      readAesKey(robot[1])
    } catch {
      throw new TypeError('WECOM_AES_KEY must be the 43 letters and digits of EncodingAESKey')
    }
  }
  const cardBytes = number('DINGTALK_CARD_BYTES', 100_000)
  if (cardBytes !== undefined && cardBytes < 500) throw new RangeError('DINGTALK_CARD_BYTES must be 500 or more')
  return {
    port: number('BOT_PORT', 65_535) ?? 8_787,
    host: text('BOT_HOST') ?? '127.0.0.1',
    language,
    upstream: server && { url: address('BOT_OLLAMA_URL')!, model: server[1] },
    dingtalk: app && {
      clientId: app[0],
      clientSecret: app[1],
      robotCode: text('DINGTALK_ROBOT_CODE'),
      cardTemplateId: text('DINGTALK_CARD_TEMPLATE_ID'),
      cardKey: text('DINGTALK_CARD_KEY'),
      updateMs: number('DINGTALK_UPDATE_MS', 60_000),
      cardBytes,
      apiUrl: address('DINGTALK_API_URL'),
      webhookOrigin: address('DINGTALK_WEBHOOK_ORIGIN'),
    },
    wecom: robot && { token: robot[0], aesKey: robot[1], robotName: text('WECOM_ROBOT_NAME')?.replace(/^@/, '') },
  }
}

/** What to say when no platform has its credentials. */
export const nothingToServe = `no platform is configured, so there is nothing to serve. Missing, for one of them at least:
  DingTalk (钉钉): DINGTALK_CLIENT_ID and DINGTALK_CLIENT_SECRET
  WeCom (企业微信): WECOM_TOKEN and WECOM_AES_KEY
--demo tries the robot in this terminal, without any of them; --help names all settings.`
