import type { Clock } from '@midstream/core'
import { asText } from '../platform.ts'
import { sendJson, type Answered } from '../send-json.ts'

/** Where DingTalk is, and who asks. */
export interface DingtalkApiOptions {
  readonly clientId: string
  readonly clientSecret: string
  /** @defaultValue 'https://api.dingtalk.com' */
  readonly apiUrl?: string | undefined
  /** The one origin that answers are posted to. @defaultValue 'https://oapi.dingtalk.com' */
  readonly webhookOrigin?: string | undefined
  /** Most calls in a second, of all conversations together. @defaultValue 15, under the 20 of a standard organisation */
  readonly callsPerSecond?: number | undefined
  readonly fetch: typeof globalThis.fetch
  readonly clock: Clock
}

/** The few calls that the robot makes. */
export interface DingtalkApi {
  /** @throws {DingtalkError} */
  call(method: 'POST' | 'PUT', path: string, body: object): Promise<void>
  /** Posts to a session's webhook. @throws {DingtalkError} Also for an address that is not DingTalk's. */
  post(webhook: string, body: object): Promise<void>
}

/** A call that came to nothing. It never holds what was sent. */
export class DingtalkError extends Error {
  override readonly name = 'DingtalkError'
  /** Whether the same call may succeed a second later. */
  readonly retryable: boolean
  constructor(what: string, retryable: boolean) {
    super(what)
    this.retryable = retryable
  }
}

/** How long a token is good when DingTalk does not say, s: so long it is documented to be. */
const tokenSeconds = 7_200

/** A token is fetched again so long before it expires, ms; the documentation advises 7 000 of its 7 200 s. */
const tokenMarginMs = 200_000

/**
 * Too many calls in this second: the documentation says to wait for the next. Not the quota of the month, which is 403, too.
 * @see https://open.dingtalk.com/document/development/how-to-process-api-throttling-on-the-dingtalk-server
 */
const tooFast = /^Forbidden\.AccessDenied\.QpsLimit/

/** Creates the calls, paced over all conversations, with a token that is kept for as long as it is good. */
export function createDingtalkApi(options: DingtalkApiOptions): DingtalkApi {
  const { clientId, clientSecret, fetch, clock } = options
  const {
    apiUrl = 'https://api.dingtalk.com',
    webhookOrigin = 'https://oapi.dingtalk.com',
    callsPerSecond = 15,
  } = options
  let token: { readonly value: string; readonly until: number } | undefined
  let asking: Promise<string> | undefined
  let freeAt = 0

  const turn = async (): Promise<void> => {
    const at = Math.max(freeAt, clock.now())
    freeAt = at + 1_000 / callsPerSecond
    await wait(clock, at - clock.now())
  }

  const send = async (
    method: 'POST' | 'PUT',
    url: string,
    body: object,
    headers?: Record<string, string>,
  ): Promise<Answered> => {
    await turn()
    const answered = await sendJson({ fetch, clock }, method, url, body, headers)
    if (!answered) throw new DingtalkError('DingTalk cannot be reached', true)
    return answered
  }

  const askToken = async (): Promise<string> => {
    const url = `${apiUrl}/v1.0/oauth2/accessToken`
    const { status, json } = await send('POST', url, { appKey: clientId, appSecret: clientSecret })
    const value = asText(json?.['accessToken'])
    if (status !== 200 || value === undefined) throw failed('the access token', status, json)
    const seconds = Number(json?.['expireIn']) || tokenSeconds
    token = { value, until: clock.now() + seconds * 1_000 - tokenMarginMs }
    return value
  }
  const currentToken = (): Promise<string> => {
    if (token && clock.now() < token.until) return Promise.resolve(token.value)
    asking ??= askToken().finally(() => (asking = undefined))
    return asking
  }

  return {
    async call(method, path, body) {
      for (let attempt = 1; ; attempt++) {
        const used = await currentToken()
        const headers = { 'x-acs-dingtalk-access-token': used }
        const { status, json } = await send(method, `${apiUrl}${path}`, body, headers)
        if (status === 200 && json?.['success'] !== false) return checkDelivery(json)
        // A token can be withdrawn before its time.
        if (status !== 401 || attempt > 1) throw failed(path, status, json)
        if (token?.value === used) token = undefined
      }
    },
    async post(webhook, body) {
      // The signature of a callback does not cover the address in it.
      if (!URL.canParse(webhook) || new URL(webhook).origin !== webhookOrigin) {
        throw new DingtalkError('the webhook is not an address of DingTalk', false)
      }
      const { status, json } = await send('POST', webhook, body)
      if (status !== 200 || (json?.['errcode'] ?? 0) !== 0) throw failed('the webhook', status, json)
    },
  }
}

function failed(what: string, status: number, json: Answered['json']): DingtalkError {
  const code = (asText(json?.['code']) ?? asText(json?.['errmsg']) ?? '').slice(0, 80)
  const retryable = status === 429 || status >= 500 || (status === 403 && tooFast.test(code))
  return new DingtalkError(`DingTalk answered ${what} with ${status} ${code}`.trimEnd(), retryable)
}

/** A card can be made and yet be delivered nowhere. */
function checkDelivery(json: Answered['json']): void {
  const { deliverResults = [] } = (json?.['result'] ?? {}) as {
    readonly deliverResults?: readonly { readonly success?: boolean; readonly errorMsg?: string }[]
  }
  const lost = deliverResults.find(({ success }) => success === false)
  if (lost) throw new DingtalkError(`DingTalk did not deliver the card: ${String(lost.errorMsg).slice(0, 80)}`, false)
}

/** Settles when time has passed. */
export function wait(clock: Clock, ms: number): Promise<void> {
  return ms > 0 ? new Promise((resolve) => void clock.after(ms, resolve)) : Promise.resolve()
}
