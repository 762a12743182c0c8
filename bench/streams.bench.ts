// 1 000 streams at once through the program of examples/gateway, for a minute: every stream whole, none mixed, and its
// memory. Then the same with 5 % of the clients vanishing and 5 % interrupting, at random moments.
//
// STREAMS, SECONDS and RATE (tokens a second) choose another load. The model server and the clients are processes on the
// same machine: how many tokens a second it can bear is said by the last columns.
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

const folder = mkdtempSync(join(tmpdir(), 'midstream-streams-'))
const upstream = await startChild('numbered-upstream')
const upstreamUrl = await upstream.call<string>('listen')
const load = await startChild('numbered-load')

/** Starts the program as a user would, with a configuration file of its own. */
async function startProgram(): Promise<{ url: string; pid: number; stop: () => Promise<void> }> {
  const port = await freePort()
  const config = join(folder, 'config.yaml')
  const model = `{ provider: ollama, endpoint: "${upstreamUrl}", model_name: numbered }`
  const limits = `limits: { runs: ${2 * streams} }`
  writeFileSync(
    config,
    `model: ${model}\nserver: { port: ${port}, host: 127.0.0.1 }\nlogging: { level: warn }\n${limits}\n`,
  )
  const child = spawn(process.execPath, [program, '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), exit])
  if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}; is it built?`)
  child.stdout.resume()
  return {
    url: `http://127.0.0.1:${port}/api/chat`,
    pid: child.pid!,
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

async function round(share: number): Promise<string[]> {
  const { url, pid, stop } = await startProgram()
  await upstream.call('pace', rate, tokens)
  const cpuBefore = cpuOf(pid)
  await load.call('start', url, streams, share, seconds * 1_000)
  const rss: number[] = []
  const from = performance.now()
  const problems = load.call<string[]>('problems', tokens)
  let isOver = false
  void problems.then(() => (isOver = true))
  while (!isOver) {
    await sleep(1_000)
    rss.push(rssOf(pid))
  }
  const took = (performance.now() - from) / 1_000
  const found = await problems
  const { open, sent, lateMs } = await upstream.call<{ open: number; sent: number; lateMs: number }>('state')
  const read = await load.call<number>('tokensRead')
  const cpu = cpuOf(pid) - cpuBefore
  await stop()
  for (const problem of found.slice(0, 10)) console.error(problem)
  const at = (second: number): string => short(rss[Math.min(second, rss.length) - 1]!)
  return [
    share === 0 ? 'all read to the end' : `${share * 100} % vanish, ${share * 100} % interrupt`,
    `${streams - found.length} of ${streams}`,
    String(open),
    `${at(10)} / ${at(30)} / ${at(rss.length)}`,
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
  'rss at 10 s / 30 s / end, MB',
  'tokens/s read',
  'took, s',
  'CPU µs a token',
  'latest token late, ms',
]
report('A thousand streams through the program', [head, ...rows])
await Promise.all([upstream.close(), load.close()])
rmSync(folder, { recursive: true })
