import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { dingtalkStandIn, type DingtalkStandIn } from '../src/demo/dingtalk-stand-in.ts'
import { wecomStandIn, type WecomStream } from '../src/demo/wecom-stand-in.ts'
import { app, robot } from './support.ts'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command to its end. */
async function run(args: readonly string[], env: Record<string, string>, input = ''): Promise<Ended> {
  const child = begin(args, env)
  const code = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.stdin.end(input)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, stdout, stderr }
}

function begin(args: readonly string[], env: Record<string, string>): ChildProcessWithoutNullStreams {
  if (!existsSync(main)) throw new Error('examples/bot is not built: run `pnpm build` first')
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env['PATH'] ?? '', ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** DingTalk's address, on this machine. */
async function listen(platform: DingtalkStandIn): Promise<string> {
  const server = createServer((request, response) => {
    void (async () => {
      const { method = 'GET', headers } = request
      const token = headers['x-acs-dingtalk-access-token']
      const init = { method, headers: { 'x-acs-dingtalk-access-token': String(token) }, body: await text(request) }
      const answer = await platform.fetch(`http://dingtalk.test${request.url}`, init)
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('command: serves both platforms with the embedded model: a stream, an interrupt, a follow-up, an end', async () => {
  const dingtalk = dingtalkStandIn(app, Date.now)
  const wecom = wecomStandIn(robot, Date.now)
  const child = begin([], {
    BOT_PORT: '0',
    DINGTALK_CLIENT_ID: app.clientId,
    DINGTALK_CLIENT_SECRET: app.clientSecret,
    DINGTALK_CARD_TEMPLATE_ID: app.cardTemplateId,
    DINGTALK_UPDATE_MS: '100',
    DINGTALK_API_URL: await listen(dingtalk),
    WECOM_TOKEN: robot.token,
    WECOM_AES_KEY: robot.aesKey,
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const said = text(child.stderr)
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())),
  )
  expect(line).toMatch(/^bot on http:\/\/127\.0\.0\.1:\d+ · \/dingtalk, \/wecom · the embedded model\n/)
  const url = /http:\S+/.exec(line)![0]

  const say = async (words: string): Promise<void> => {
    expect((await fetch(`${url}/dingtalk`, { method: 'POST', ...dingtalk.say(words) })).status).toBe(200)
  }
  await say('北京有哪些著名景点?')
  while ((dingtalk.cards[0]?.texts.length ?? 0) < 3) await dingtalk.changed()
  await say('颐和园的开放时间是几点?')
  while (dingtalk.cards.length < 2 || !dingtalk.cards.every(({ isFinished }) => isFinished)) await dingtalk.changed()
  const [first, second] = dingtalk.cards.map(({ texts }) => texts.at(-1)!)
  expect(first).toMatch(/^北京.+\n\n（已停止）$/s)
  expect(second).toContain('颐和园')

  const ask = async ({ query, body }: { query: string; body: string }): Promise<WecomStream> => {
    const response = await fetch(`${url}/wecom?${query}`, { method: 'POST', body })
    return wecom.open(await response.text())
  }
  let stream = await ask(wecom.say('你好'))
  while (!stream.finish) stream = await ask(wecom.refresh(stream.id))
  expect(stream.content.length).toBeGreaterThan(1)
  expect((await fetch(`${url}/dingtalk`, { method: 'POST', body: '{}' })).status).toBe(401)

  // What runs when it is told to end is shown as far as it came.
  await say('北京有哪些著名景点?')
  while ((dingtalk.cards[2]?.texts.length ?? 0) < 2) await dingtalk.changed()
  child.kill('SIGTERM')
  expect(await exited).toBe(0)
  expect(dingtalk.cards[2]?.isFinished).toBe(true)
  expect(dingtalk.cards[2]?.texts.at(-1)).toContain('机器人正在重启')
  expect(await said).toBe('')
}, 30_000)

test('command: without credentials it says what is missing, and ends', async () => {
  const { code, stdout, stderr } = await run([], {})
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain('DINGTALK_CLIENT_ID and DINGTALK_CLIENT_SECRET')
  expect(stderr).toContain('WECOM_TOKEN and WECOM_AES_KEY')
  expect(stderr).toContain('--demo')
})

test('command: half of a pair of credentials is an error that does not print it', async () => {
  const { code, stderr } = await run([], { DINGTALK_CLIENT_SECRET: 'hush-hush' })
  expect(code).toBe(2)
  expect(stderr).toBe('bot: DINGTALK_CLIENT_ID is missing: DINGTALK_CLIENT_ID and DINGTALK_CLIENT_SECRET go together\n')
})

test('command: Ctrl-C is an end of the demo like any other', async () => {
  const child = begin(['--demo'], {})
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGINT')
  expect(await exited).toBe(0)
})

test.for(['dingtalk', 'wecom'])(
  'command: --demo=%s is a chat in the terminal, where the next line cuts in',
  { timeout: 30_000 },
  async (platform) => {
    const lines = '北京有哪些著名景点?\n颐和园的开放时间是几点?\n\n'
    const { code, stdout, stderr } = await run([`--demo=${platform}`], {}, lines)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(stdout).toContain('> 北京有哪些著名景点?')
    expect(stdout).toContain('（已停止）')
    expect(stdout).toMatch(/\[(card|message) 2\] [^\n]*颐和园/)
  },
)
