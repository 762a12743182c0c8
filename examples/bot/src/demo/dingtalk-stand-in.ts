import { randomUUID } from 'node:crypto'
import { signDingtalk } from '../dingtalk/signature.ts'

/** One card, as the people of the group see it. */
interface StandInCard {
  readonly outTrackId: string
  readonly openSpaceId: string
  /** Every text it has shown, in order. */
  readonly texts: readonly string[]
  readonly isFinished: boolean
}

/** DingTalk, as far as the robot knows it: requests are checked as its documentation asks, and kept. */
export interface DingtalkStandIn {
  /** Answers the calls of the robot. */
  readonly fetch: typeof globalThis.fetch
  /** The callback that somebody's words cause. */
  say(text: string, change?: Readonly<Record<string, unknown>>): { headers: Record<string, string>; body: string }
  readonly cards: readonly StandInCard[]
  /** What was posted to the session's webhook. */
  readonly posted: readonly string[]
  /** Every call: when, and what it was answered. */
  readonly calls: readonly { readonly at: number; readonly path: string; readonly status: number }[]
  /** Answers the next calls to a path with this instead. */
  fail(path: string, status: number, code: string, times?: number): void
  /** Settles when something has changed. */
  changed(): Promise<void>
}

/** The path of the calls that grow a card. */
export const streamingPath = '/v1.0/card/streaming'

/** Where the stand-in says answers can be posted. */
export const standInWebhook = 'https://oapi.dingtalk.com/robot/sendBySession?session=stand-in'

type Json = Readonly<Record<string, unknown>>

/** Creates a stand-in for one robot in one group. */
export function dingtalkStandIn(
  app: { readonly clientId: string; readonly clientSecret: string; readonly cardTemplateId: string },
  now: () => number,
): DingtalkStandIn {
  const cards: { outTrackId: string; openSpaceId: string; texts: string[]; isFinished: boolean }[] = []
  const posted: string[] = []
  const calls: { at: number; path: string; status: number }[] = []
  const failures: { path: string; status: number; code: string }[] = []
  const guids = new Set<unknown>()
  let token = ''
  let wake: (() => void)[] = []

  const refuse = (status: number, code: string): [number, Json] => [
    status,
    { code, message: code, requestid: 'stand-in' },
  ]
  const answer = (path: string, method: string, header: string | null, body: Json): [number, Json] => {
    const failure = failures.findIndex((one) => one.path === path)
    if (failure !== -1) {
      const [{ status, code }] = failures.splice(failure, 1) as [(typeof failures)[number]]
      return refuse(status, code)
    }
    if (path === '/v1.0/oauth2/accessToken') {
      const isApp = body['appKey'] === app.clientId && body['appSecret'] === app.clientSecret
      token = randomUUID()
      return isApp ? [200, { accessToken: token, expireIn: 7_200 }] : refuse(400, 'invalidClientIdOrSecret')
    }
    if (path === '/robot/sendBySession') {
      posted.push(String((body['markdown'] as Json | undefined)?.['text']))
      return [200, { errcode: 0, errmsg: 'ok' }]
    }
    if (header !== token) return refuse(401, 'InvalidAuthentication')
    const second = calls.filter((call) => call.path === path && call.status === 200 && call.at > now() - 1_000)
    if (second.length >= 20) return refuse(403, 'Forbidden.AccessDenied.QpsLimitForAppkeyAndApi')
    const outTrackId = String(body['outTrackId'])
    const card = cards.find((one) => one.outTrackId === outTrackId)
    if (path === '/v1.0/card/instances/createAndDeliver' && method === 'POST') {
      if (body['cardTemplateId'] !== app.cardTemplateId) return refuse(400, 'param.cardTemplateIdInvalid')
      const deliverTo = body['imGroupOpenDeliverModel'] ?? body['imRobotOpenDeliverModel']
      if ((deliverTo as Json | undefined)?.['robotCode'] !== app.clientId) return refuse(400, 'param.robotCodeInvalid')
      if (!card) cards.push({ outTrackId, openSpaceId: String(body['openSpaceId']), texts: [], isFinished: false })
      return [
        200,
        { success: true, result: { outTrackId, deliverResults: [{ spaceType: 'IM_GROUP', success: true }] } },
      ]
    }
    if (path === streamingPath && method === 'PUT') {
      if (!card) return refuse(400, 'param.cardNotExist')
      // A Markdown variable is updated as a whole, or not at all.
      if (body['isFull'] !== true || body['key'] !== 'content') return refuse(400, 'param.streamingInvalid')
      if (card.isFinished && !guids.has(body['guid'])) return refuse(400, 'param.cardFinished')
      if (!guids.has(body['guid'])) card.texts.push(String(body['content']))
      guids.add(body['guid'])
      card.isFinished ||= body['isFinalize'] === true
      return [200, { success: true, result: true }]
    }
    return refuse(404, 'InvalidAction.NotFound')
  }

  return {
    cards,
    posted,
    calls,
    async fetch(input, init) {
      const request = new Request(input, init)
      const { pathname } = new URL(request.url)
      const body = (await request.json()) as Json
      const [status, json] = answer(pathname, request.method, request.headers.get('x-acs-dingtalk-access-token'), body)
      calls.push({ at: now(), path: pathname, status })
      const woken = wake
      wake = []
      for (const settle of woken) settle()
      return Response.json(json, { status })
    },
    say(text, change = {}) {
      const timestamp = String(Math.floor(now()))
      const message = {
        conversationId: 'cidStandIn==',
        atUsers: [{ dingtalkId: '$:LWCP_v1:$robot' }],
        chatbotUserId: '$:LWCP_v1:$robot',
        msgId: `msg${randomUUID()}`,
        senderNick: 'Demo',
        isAdmin: false,
        senderStaffId: 'user123',
        sessionWebhookExpiredTime: Math.floor(now()) + 5_400_000,
        createAt: Math.floor(now()),
        conversationType: '2',
        senderId: '$:LWCP_v1:$sender',
        conversationTitle: 'Demo',
        isInAtList: true,
        sessionWebhook: standInWebhook,
        text: { content: ` ${text}` },
        robotCode: app.clientId,
        msgtype: 'text',
        ...change,
      }
      const headers = { 'content-type': 'application/json; charset=utf-8', timestamp }
      return { headers: { ...headers, sign: signDingtalk(timestamp, app.clientSecret) }, body: JSON.stringify(message) }
    },
    fail(path, status, code, times = 1) {
      for (let i = 0; i < times; i++) failures.push({ path, status, code })
    },
    changed: () => new Promise((resolve) => wake.push(resolve)),
  }
}
