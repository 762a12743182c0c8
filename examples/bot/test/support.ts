import { createGateway, type Gateway, type GatewayOptions } from '@midstream/core/gateway'
import { manualClock, scriptedUpstream, type ManualClock, type ScriptedUpstream } from '@midstream/core/testing'
import { createChats, type Chats, type ChatsOptions } from '../src/conversation/chats.ts'
import { languages } from '../src/conversation/words.ts'
import { dingtalkStandIn, type DingtalkStandIn } from '../src/demo/dingtalk-stand-in.ts'
import { wecomStandIn, type WecomCallback, type WecomStandIn, type WecomStream } from '../src/demo/wecom-stand-in.ts'
import { createDingtalkRoute, type DingtalkOptions } from '../src/dingtalk/route.ts'
import type { BotReply, PlatformRoute } from '../src/platform.ts'
import { createWecomRoute, type WecomOptions } from '../src/wecom/route.ts'

export const app = { clientId: 'dingTestApp', clientSecret: 'a secret of the test', cardTemplateId: 'test.schema' }
export const robot = { token: 'testToken', aesKey: 'testTestTestTestTestTestTestTestTestTestTes' }

/** A gateway whose model says what the test tells it to, and conversations with it, on one clock. */
export interface World {
  readonly clock: ManualClock
  readonly upstream: ScriptedUpstream
  readonly gateway: Gateway
  readonly chats: Chats
  readonly problems: string[]
  /** Lets time pass, and whatever happens in it happen. */
  advance(ms: number): Promise<void>
  /** Lets what is due now happen, until it is so. */
  until(isSo: () => boolean): Promise<void>
  /** What the model was told last, without its system prompt. */
  told(): { readonly role: string; readonly content: string; readonly interrupted?: boolean | undefined }[]
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export function world(options: Partial<ChatsOptions> = {}, more: Partial<GatewayOptions> = {}): World {
  const clock = manualClock(Date.UTC(2026, 0, 1))
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream, clock, recovery: false, ...more })
  const chats = createChats({ words: languages.en, clock, ...options, gateway })
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 25; i++) await turn()
  }
  return {
    clock,
    upstream,
    gateway,
    chats,
    problems: [],
    async advance(ms) {
      const end = clock.now() + ms
      await settle()
      while (clock.dueAt <= end) {
        clock.advance(Math.max(0, clock.dueAt - clock.now()))
        await settle()
      }
      clock.advance(end - clock.now())
      await settle()
    },
    async until(isSo) {
      for (let i = 0; !isSo(); i++) {
        if (i > 5_000) throw new Error('it never came to be so')
        await turn()
      }
    },
    told: () =>
      upstream.replies
        .at(-1)!
        .request.messages.map(({ role, content, interrupted }) => ({ role, content, interrupted })),
  }
}

/** The robot on DingTalk, and a stand-in that it calls. */
export interface Dingtalk {
  readonly route: PlatformRoute
  readonly platform: DingtalkStandIn
  /** Delivers a callback. */
  deliver(callback: ReturnType<DingtalkStandIn['say']>): Promise<BotReply>
  /** Somebody says something in the group. */
  say(text: string, change?: Readonly<Record<string, unknown>>): Promise<BotReply>
  /** Times of the updates that arrived, ms since the first call. */
  updates(): number[]
}

export function dingtalk(in_: World, options: Partial<DingtalkOptions> = {}): Dingtalk {
  const { clock, chats, problems } = in_
  const platform = dingtalkStandIn(app, () => clock.now())
  const route = createDingtalkRoute({
    ...app,
    chats,
    words: languages.en,
    onProblem: (problem) => problems.push(problem),
    fetch: platform.fetch,
    clock,
    ...options,
  })
  const deliver: Dingtalk['deliver'] = ({ headers, body }) =>
    route({ method: 'POST', url: new URL('http://bot/dingtalk'), header: (name) => headers[name] ?? null, body })
  const start = clock.now()
  return {
    route,
    platform,
    deliver,
    say: (text, change) => deliver(platform.say(text, change)),
    updates: () =>
      platform.calls
        .filter(({ path, status }) => path.endsWith('/streaming') && status === 200)
        .map(({ at }) => at - start),
  }
}

/** The robot on WeCom, and a stand-in that asks it. */
export interface Wecom {
  readonly route: PlatformRoute
  readonly platform: WecomStandIn
  deliver(callback: WecomCallback, method?: string): Promise<BotReply>
  say(text: string, change?: Readonly<Record<string, unknown>>): Promise<WecomStream>
  refresh(stream: WecomStream): Promise<WecomStream>
}

export function wecom(in_: World, options: Partial<WecomOptions> = {}): Wecom {
  const { clock, chats, problems } = in_
  const platform = wecomStandIn(robot, () => clock.now())
  const route = createWecomRoute({
    ...robot,
    chats,
    words: languages.en,
    onProblem: (problem) => problems.push(problem),
    clock,
    ...options,
  })
  const deliver: Wecom['deliver'] = ({ query, body }, method = 'POST') =>
    route({ method, url: new URL(`http://bot/wecom?${query}`), header: () => null, body })
  const stream = async (callback: WecomCallback): Promise<WecomStream> =>
    platform.open((await deliver(callback)).body ?? '')
  return {
    route,
    platform,
    deliver,
    say: (text, change) => stream(platform.say(text, change)),
    refresh: ({ id }) => stream(platform.refresh(id)),
  }
}
