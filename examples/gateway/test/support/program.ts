import { spawn, type StdioOptions } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const built = (name: string): string => fileURLToPath(new URL(`../../dist/${name}.js`, import.meta.url))

/** One line of the log. */
type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: string }

/** The program as a person starts it, in a process of its own. */
export interface ProgramProcess {
  readonly url: string
  readonly pid: number
  /** What it printed so far. */
  readonly printed: readonly string[]
  readonly logged: readonly string[]
  /** The first line on standard output that matches. */
  line(pattern: RegExp): Promise<string>
  /** The first line of the log that fits. */
  log(fits: (line: LogLine) => boolean): Promise<LogLine>
  fetch(path: string, init?: RequestInit): Promise<Response>
  signal(signal: NodeJS.Signals): void
  /** Reads no more of what it says. */
  hangUp(): void
  /** Its exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>
}

interface How {
  readonly env?: Readonly<Record<string, string>>
  /** Which command. @defaultValue 'main' */
  readonly command?: 'main' | 'demo'
  /** An executable file instead, started where it is; it finds no other program. */
  readonly executable?: string
  /** For node itself. */
  readonly flags?: readonly string[]
}

/** A folder that is gone after the test. */
export function temporaryFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'midstream-gateway-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

function launch(
  args: readonly string[],
  { env = {}, flags = [], command = 'main', executable }: How,
): ReturnType<typeof spawn> {
  const file = executable ?? built(command)
  if (!existsSync(file)) throw new Error('examples/gateway is not built: run `pnpm build` first')
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe']
  const child = executable
    ? spawn(executable, args, { stdio, cwd: dirname(executable), env: { PATH: '', ...env } })
    : spawn(process.execPath, [...flags, file, ...args], { stdio, env: { PATH: process.env['PATH'] ?? '', ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** Runs the program to its end. */
export async function runToEnd(
  args: readonly string[],
  how: How = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = launch(args, how)
  const code = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)])
  return { code: await code, stdout, stderr }
}

/** Starts the program with a configuration and waits until it listens. It ends with the test. */
export async function startProgram(config: string, how: How = {}): Promise<ProgramProcess> {
  const folder = temporaryFolder({ 'config.yaml': config })
  return watchProgram(launch(['--config', join(folder, 'config.yaml')], how))
}

/** Starts the demo and waits until it listens. It ends with the test. */
export function startDemo(): Promise<ProgramProcess> {
  return watchProgram(launch([], { command: 'demo', env: { PORT: '0' } }))
}

async function watchProgram(child: ReturnType<typeof spawn>): Promise<ProgramProcess> {
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const stdout = watchLines(child.stdout!)
  const stderr = watchLines(child.stderr!)
  const ended = exited.then((code): never => {
    throw new Error(`the program ended with ${code}: ${stderr.lines.join('\n')}`)
  })
  ended.catch(() => undefined)
  const started = await Promise.race([stdout.find((line) => /^Server started on :\d+$/.test(line)), ended])
  const url = `http://127.0.0.1:${started.split(':')[1]}`
  return {
    url,
    pid: child.pid!,
    printed: stdout.lines,
    logged: stderr.lines,
    line: (pattern) => Promise.race([stdout.find((line) => pattern.test(line)), ended]),
    log: async (fits) => JSON.parse(await stderr.find((line) => fits(JSON.parse(line) as LogLine))) as LogLine,
    fetch: (path, init) => fetch(url + path, init),
    signal: (signal) => void child.kill(signal),
    hangUp() {
      child.stdout?.destroy()
      child.stderr?.destroy()
    },
    exited,
  }
}

/** What a process says, line by line. */
interface Lines {
  readonly lines: readonly string[]
  /** The first line that fits, waited for. */
  find(fits: (line: string) => boolean): Promise<string>
}

export function watchLines(stream: NodeJS.ReadableStream): Lines {
  const lines: string[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: stream }).on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look()
  })
  return {
    lines,
    find: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          try {
            const found = lines.find(fits)
            if (found === undefined) return void waiting.add(look)
            waiting.delete(look)
            resolve(found)
          } catch (error) {
            waiting.delete(look)
            reject(error)
          }
        }
        look()
      }),
  }
}
