// From the press to the model server's socket being closed, and to the interrupt's answer, over real sockets between
// processes. Baseline in the same run: a bare pass-through proxy whose client aborts its `fetch`.
import { setTimeout as sleep } from 'node:timers/promises'
import { createChatClient, type ChatSession } from '@midstream/client'
import { startChild } from './support/child.ts'
import { median, quantile, report, short } from './support/report.ts'

const [upstream, nano, pipe, gateway, nanoPipe, nanoGateway] = await Promise.all([
  startChild('upstream'),
  startChild('upstream'),
  startChild('front', 'pipe'),
  startChild('front', 'node'),
  startChild('front', 'pipe'),
  startChild('front', 'node'),
])
const upstreamUrl = await upstream.call<string>('listen')
const nanoUrl = await nano.call<string>('nano', 100)
await upstream.call('pace', 200)

/** Milliseconds that mean the same in every process of a machine. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** Presses some time after the first text; says when that was, and when the answer came. Null: the reply was faster. */
type Press = () => Promise<{ pressedAt: number; answeredAt: number | null } | null>
const someTime = (): Promise<void> => sleep(Math.random() * 10)
const ask = (json: object): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ ...json, messages: [{ role: 'user', content: 'Tell me a long story about the sea.' }] }),
})

/** Reads on until the text has begun, and then without end. */
async function textOf(response: Response): Promise<void> {
  const reader = response.body!.getReader()
  const utf8 = new TextDecoder()
  let text = ''
  while (!/"content":"[^"]|"message":"[^"]/.test(text)) {
    const { value } = await reader.read()
    text += utf8.decode(value)
  }
  const drain = async (): Promise<void> => {
    while (!(await reader.read()).done);
  }
  drain().catch(() => undefined)
}

/** What everybody does today: the client aborts its request. */
const abortFetch =
  (url: string): Press =>
  async () => {
    const abort = new AbortController()
    await textOf(await fetch(`${url}/api/chat`, { ...ask({ model: 'nano' }), signal: abort.signal }))
    await someTime()
    const pressedAt = now()
    abort.abort()
    return { pressedAt, answeredAt: null }
  }

const postInterrupt =
  (url: string): Press =>
  async () => {
    const response = await fetch(`${url}/api/chat`, ask({ reconnect: true }))
    await textOf(response)
    await someTime()
    const pressedAt = now()
    const answer = await fetch(`${url}/api/chat/runs/${response.headers.get('run-id')}/interrupt`, { method: 'POST' })
    const { outcome } = (await answer.json()) as { outcome: string }
    return outcome === 'interrupted' ? { pressedAt, answeredAt: now() } : null
  }

const hasText = (session: ChatSession): Promise<void> =>
  new Promise((resolve, reject) => {
    const leave = session.subscribe(() => {
      const { messages, status } = session.getSnapshot()
      if (status === 'error') reject(new Error(messages.at(-1)?.error?.message))
      if (status !== 'streaming' || messages.at(-1)?.content === '') return
      leave()
      resolve()
    })
  })

const sessionInterrupt = (url: string): Press => {
  const client = createChatClient({ url: `${url}/api/chat` })
  let runs = 0
  return async () => {
    const session = client.session(String((runs += 1)))
    const text = hasText(session)
    void session.send('Tell me a long story about the sea.')
    await text
    await someTime()
    const pressedAt = now()
    const { outcome } = await session.interrupt()
    return outcome === 'interrupted' ? { pressedAt, answeredAt: now() } : null
  }
}

async function measure(title: string, server: typeof upstream, presses: Record<string, Press>, runs: number) {
  const closed: Record<string, number[]> = {}
  const answered: Record<string, number[]> = {}
  const names = Object.keys(presses)
  for (let run = -10; run < runs; run++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + run + 10) % names.length]!
      await server.call('watch')
      const press = await presses[name]!()
      const closedAt = await server.call<number>('closedAt')
      if (run < 0 || !press || closedAt < press.pressedAt) continue
      const { pressedAt, answeredAt } = press
      ;(closed[name] ??= []).push(closedAt - pressedAt)
      if (answeredAt !== null) (answered[name] ??= []).push(answeredAt - pressedAt)
    }
  }
  const base = median(closed[names.find((name) => name.includes('pipe'))!]!)
  const rows = names.map((name) => {
    const both = [closed[name]!, answered[name] ?? []].flatMap((ms) => [short(median(ms)), short(quantile(ms, 0.95))])
    return [name, both, short(median(closed[name]!) / base), `${closed[name]!.length} of ${runs}`].flat()
  })
  const head = [
    '',
    'upstream closed, median ms',
    'p95',
    'answered, median ms',
    'p95',
    'ratio of the closing',
    'before the end',
  ]
  report(`Interrupt: ${title}, ${runs} runs each`, [head, ...rows])
}

const pipeUrl = await pipe.call<string>('start', upstreamUrl)
const gatewayUrl = await gateway.call<string>('start', upstreamUrl)
await measure(
  'a small Ollama-wire server',
  upstream,
  {
    'no proxy, `fetch` aborted': abortFetch(upstreamUrl),
    'bare pipe, `fetch` aborted': abortFetch(pipeUrl),
    'gateway, `POST …/interrupt`': postInterrupt(gatewayUrl),
    'gateway, `session.interrupt()`': sessionInterrupt(gatewayUrl),
  },
  200,
)
// As fast as it is read, 20 000 tokens: whoever reads has a socket full of them when the interrupt comes.
await upstream.call('pace', null, 20_000)
await measure(
  'a model at full speed, 20 000 tokens',
  upstream,
  {
    'bare pipe, `fetch` aborted': abortFetch(pipeUrl),
    'gateway, `POST …/interrupt`': postInterrupt(gatewayUrl),
    'gateway, `session.interrupt()`': sessionInterrupt(gatewayUrl),
  },
  60,
)
const nanoPipeUrl = await nanoPipe.call<string>('start', nanoUrl)
const nanoGatewayUrl = await nanoGateway.call<string>('start', nanoUrl, 'nano')
await measure(
  'the embedded model',
  nano,
  {
    'bare pipe, `fetch` aborted': abortFetch(nanoPipeUrl),
    'gateway, `POST …/interrupt`': postInterrupt(nanoGatewayUrl),
    'gateway, `session.interrupt()`': sessionInterrupt(nanoGatewayUrl),
  },
  60,
)
await Promise.all([upstream, nano, pipe, gateway, nanoPipe, nanoGateway].map((child) => child.close()))
process.exit()
