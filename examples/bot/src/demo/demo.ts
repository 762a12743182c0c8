import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { startBot } from '../bot.ts'
import type { BotConfig } from '../config.ts'
import { dingtalkStandIn } from './dingtalk-stand-in.ts'
import { createScreen, type Screen } from './screen.ts'
import { wecomStandIn } from './wecom-stand-in.ts'

/** How often the stand-in for WeCom asks for news, ms. */
const refreshMs = 300

/** A platform that lives in this terminal. */
interface DemoPlatform {
  /** Settles when the answer begins to show. */
  ask(text: string): Promise<void>
  /** Settles when nothing is being answered. */
  over(): Promise<void>
}

const app = { clientId: 'demo-client', clientSecret: 'demo-secret', cardTemplateId: 'demo.schema' }
const robot = { token: 'demoToken', aesKey: 'demoDemoDemoDemoDemoDemoDemoDemoDemoDemoDem' }

/**
 * A chat with the robot, line by line, in the place of a group. What is said while an answer grows cuts in; an empty line
 * waits until it is over. The robot is the real one, behind its real address; only the platform is played.
 */
export async function runDemo(
  config: BotConfig,
  platform: 'dingtalk' | 'wecom',
  input: Readable,
  output: Writable,
): Promise<void> {
  const screen = createScreen(output)
  const dingtalk = dingtalkStandIn(app, Date.now)
  const own: BotConfig = {
    ...config,
    port: 0,
    host: '127.0.0.1',
    dingtalk: { ...app, ...unset },
    wecom: { ...robot, robotName: undefined },
  }
  const bot = await startBot(own, { onProblem: (problem) => screen.line(problem), fetch: dingtalk.fetch })
  const post = async (path: string, init: RequestInit): Promise<string> => {
    const response = await fetch(`${bot.url}${path}`, { method: 'POST', ...init })
    if (!response.ok) throw new Error(`the robot answered ${response.status}`)
    return response.text()
  }
  const demo = platform === 'dingtalk' ? playDingtalk(dingtalk, post, screen) : playWecom(post, screen)
  screen.line(`A stand-in for ${platform}, and ${bot.model}. Say something; say more while it answers; stop, continue.`)
  for await (const line of createInterface({ input })) {
    if (line.trim() === '') await demo.over()
    else {
      screen.line(`> ${line}`)
      await demo.ask(line)
    }
  }
  await demo.over()
  screen.line('')
  await bot.close()
}

const unset = {
  robotCode: undefined,
  cardKey: undefined,
  updateMs: 250,
  cardBytes: undefined,
  apiUrl: undefined,
  webhookOrigin: undefined,
} as const

type Post = (path: string, init: RequestInit) => Promise<string>

function playDingtalk(platform: ReturnType<typeof dingtalkStandIn>, post: Post, screen: Screen): DemoPlatform {
  const draw = (): void => platform.cards.forEach(({ texts }, i) => screen.grow(`card ${i + 1}`, texts.at(-1) ?? ''))
  const until = async (isSo: () => boolean): Promise<void> => {
    for (draw(); !isSo(); draw()) await platform.changed()
  }
  let watching: Promise<void> = Promise.resolve()
  const over = (): Promise<void> => until(() => platform.cards.every(({ isFinished }) => isFinished))
  return {
    async ask(text) {
      const before = platform.cards.length
      await post('/dingtalk', platform.say(text))
      await until(() => (platform.cards[before]?.texts.length ?? 0) > 0)
      watching = over()
    },
    over: () => watching.then(over),
  }
}

function playWecom(post: Post, screen: Screen): DemoPlatform {
  const platform = wecomStandIn(robot, Date.now)
  const open = new Set<Promise<void>>()
  let messages = 0

  const send = async ({ query, body }: { query: string; body: string }): ReturnType<typeof read> =>
    read(await post(`/wecom?${query}`, { body }))
  const read = async (reply: string): Promise<ReturnType<typeof platform.open>> => platform.open(reply)
  return {
    async ask(text) {
      const name = `message ${++messages}`
      let stream = await send(platform.say(text))
      await new Promise<void>((begins) => {
        const refresh = async (): Promise<void> => {
          for (;;) {
            screen.grow(name, stream.content)
            if (stream.content !== '' || stream.finish) begins()
            if (stream.finish) return
            await new Promise((resolve) => setTimeout(resolve, refreshMs))
            stream = await send(platform.refresh(stream.id))
          }
        }
        const refreshing = refresh().finally(() => open.delete(refreshing))
        open.add(refreshing)
      })
    },
    over: () => Promise.all(open).then(() => undefined),
  }
}
