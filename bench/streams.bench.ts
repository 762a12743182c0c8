// 1 000 streams at once through the program of examples/gateway, for a minute: every stream whole, none mixed, and its
// memory. Then the same with 5 % of the clients vanishing and 5 % interrupting, at random moments.
//
// STREAMS, SECONDS and RATE (tokens a second) choose another load. The model server and the clients are processes on the
// same machine: how many tokens a second it can bear is said by the last columns. A stream that is not well ends it with 1.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from './support/child.ts'
import { freePort } from './support/listen.ts'
import { report, short } from './support/report.ts'

const streams = Number(process.env['STREAMS'] ?? 1_000)
const seconds = Number(process.env['SECONDS'] ?? 60)
const rate = Number(process.env['RATE'] ?? 8)
const tokens = Math.round(seconds * rate)
const program = new URL('../examples/gateway/dist/main.js', import.meta.url).pathname
const probe = new URL('support/heap-probe.ts', import.meta.url).href
/** When the memory is looked at first, s: half of a short run, else 10. */
const early = Math.min(10, Math.ceil(seconds / 2))

const folder = mkdtempSync(join(tmpdir(), 'midstream-streams-'))
const upstream = await startChild('numbered-upstream')
const upstreamUrl = await upstream.call<string>('listen')
const load = await startChild('numbered-load')

interface Program {
  readonly url: string
  readonly pid: number
  /** What its heap holds after a full garbage collection, MB. */
  liveHeap(): Promise<number>
  stop(): Promise<void>
}

/** Starts the program as a user would, with a configuration file of its own. */
async function startProgram(): Promise<Program> {
  const port = await freePort()
  const config = join(folder, 'config.yaml')
  const model = `{ provider: ollama, endpoint: "${upstreamUrl}", model_name: numbered }`
  const limits = `limits: { runs: ${2 * streams} }`
  writeFileSync(
    config,
    `model: ${model}\nserver: { port: ${port}, host: 127.0.0.1 }\nlogging: { level: warn }\n${limits}\n`,
  )
  const child = spawn(process.execPath, ['--import', probe, program, '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const exit = once(child, 'exit')
  const output = child.stdout!
  await Promise.race([once(output, 'data'), exit])
  if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}; is it built?`)
  output.resume()
  return {
    url: `http://127.0.0.1:${port}/api/chat`,
    pid: child.pid!,
    async liveHeap() {
      const answer = once(child, 'message')
      child.send('heap')
      return ((await answer) as [number])[0]
    },
    async stop() {
      child.kill('SIGTERM')
      await exit
    },
  }
}

/** Memory of a process that is in RAM, MB. */
function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024
}

/** Processor time of a process so far, s. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

let allWell = true

async function round(share: number): Promise<string[]> {
  const { url, pid, liveHeap, stop } = await startProgram()
  await upstream.call('pace', rate, tokens)
  const cpuBefore = cpuOf(pid)
  await load.call('start', url, streams, share, seconds * 1_000)
  const rss: number[] = []
  const live: number[] = []
  const from = performance.now()
  const problems = load.call<string[]>('problems', tokens)
  let isOver = false
  void problems.then(() => (isOver = true))
  while (!isOver) {
    await sleep(1_000)
    rss.push(rssOf(pid))
    if (rss.length === early || rss.length === seconds - 1) live.push(await liveHeap())
  }
  const took = (performance.now() - from) / 1_000
  const found = await problems
  const { open, sent, lateMs } = await upstream.call<{ open: number; sent: number; lateMs: number }>('state')
  const read = await load.call<number>('tokensRead')
  const cpu = cpuOf(pid) - cpuBefore
  await stop()
  for (const problem of found.slice(0, 10)) console.error(problem)
  allWell &&= found.length === 0 && open === 0
  const at = (second: number): string => short(rss[Math.min(second, rss.length) - 1]!)
  return [
    share === 0 ? 'all read to the end' : `${share * 100} % vanish, ${share * 100} % interrupt`,
    `${streams - found.length} of ${streams}`,
    String(open),
    `${at(early)} / ${at(Math.ceil(seconds / 2))} / ${at(rss.length)}`,
    live.map(short).join(' / '),
    short(read / streams / took),
    short(took),
    short((cpu / sent) * 1e6),
    short(lateMs),
  ]
}

const rows = [await round(0), await round(0.05)]
const head = [
  `${streams} streams, ${rate} tokens/s for ${seconds} s`,
  'well',
  'left open upstream',
  `rss at ${early} s / ${Math.ceil(seconds / 2)} s / end, MB`,
  `live heap at ${early} s / ${seconds - 1} s, MB`,
  'tokens/s read',
  'took, s',
  'CPU µs a token',
  'latest token late, ms',
]
report('A thousand streams through the program', [head, ...rows])
await Promise.all([upstream.close(), load.close()])
rmSync(folder, { recursive: true })
process.exitCode = allWell ? 0 : 1
