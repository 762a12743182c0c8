// Runs commands under the project's pinned Node and pnpm, which npm brings as packages, so that npm (with any Node >= 20)
// is all a machine needs. Plain JavaScript on purpose: it runs before anything is installed.
//   node scripts/toolchain.mjs COMMAND …   runs one command, e.g. `vitest run packages/core/test/sse.test.ts`
//   node scripts/toolchain.mjs --path      prints what to put in front of PATH to work in a shell without the detour
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const versions = Object.freeze({ node: '24.21.0', pnpm: '12.21.0' })
export const root = fileURLToPath(new URL('..', import.meta.url))

const windows = process.platform === 'win32'
const killAfterMs = 8_000
const running = new Set()
let stopSignal = null
let stoppedAt = null
let toolPath = null

/**
 * Runs a command to its end, in a process group of its own: a Ctrl-C reaches it once, from here, and nothing of it is left.
 * @param options.quiet - Collect the output instead of showing it.
 * @param options.input - What is typed is the command's to read.
 * @param options.graceful - A stop is this command's normal end: its exit code then is ours.
 * @returns Its exit code (128 + n for signal n), its output when quiet, and the time it took.
 */
export function run(command, args, { quiet = false, input = false, graceful = false, env = process.env } = {}) {
  const startedAt = performance.now()
  const stdio = [input ? 'inherit' : 'ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit']
  const child = spawn(command, args, { cwd: root, env, stdio, detached: !windows, shell: windows })
  running.add(child)
  const stdout = []
  const output = []
  child.stdout?.on('data', (chunk) => stdout.push(chunk) && output.push(chunk))
  child.stderr?.on('data', (chunk) => output.push(chunk))
  return new Promise((resolve) => {
    child.once('error', (error) => {
      output.push(Buffer.from(`${command}: ${error.message}\n`))
      if (!quiet) console.error(`${command}: ${error.message}`)
    })
    // 'exit' and not 'close': a process left behind may still hold the pipes; it ends with its group.
    child.once('exit', () => kill(child, 'SIGKILL'))
    child.once('close', (exitCode, signal) => {
      running.delete(child)
      const code = signal ? 128 + constants.signals[signal] : (exitCode ?? 127)
      if (stopSignal && running.size === 0) process.exit(graceful ? code : 128 + constants.signals[stopSignal])
      const ms = performance.now() - startedAt
      resolve({ code, stdout: Buffer.concat(stdout).toString(), output: Buffer.concat(output).toString(), ms })
    })
  })
}

/** Runs a command with the pinned Node, pnpm and the workspace's own tools in front of PATH. */
export async function tool(command, args, options = {}) {
  const PATH = await pinnedPath()
  return run(command, args, { ...options, env: { ...process.env, ...options.env, PATH } })
}

/** PATH with the pinned tools in front. Throws with npm's own words when npm cannot bring them. */
export async function pinnedPath() {
  if (toolPath) return toolPath
  const packages = Object.entries(versions).flatMap(([name, version]) => ['-p', `${name}@${version}`])
  const { code, stdout, output } = await run('npx', ['-y', ...packages, '-c', 'node -p process.env.PATH'], {
    quiet: true,
  })
  const folder = stdout
    .trim()
    .split(delimiter)
    .find((entry) => existsSync(join(entry, windows ? 'pnpm.cmd' : 'pnpm')))
  if (code !== 0 || !folder) {
    throw new Error(`npm could not bring node@${versions.node} and pnpm@${versions.pnpm}:\n${output}`)
  }
  toolPath = [folder, join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter)
  return toolPath
}

function kill(child, signal) {
  if (child.pid === undefined) return
  try {
    if (windows) child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch (error) {
    // ESRCH: the group has ended. macOS says EPERM when only zombies are left in it.
    if (error.code !== 'ESRCH' && error.code !== 'EPERM') throw error
  }
}

function stop(signal) {
  // npm passes on the Ctrl-C that the terminal has already sent us: only a later one is impatience.
  const impatient = stoppedAt !== null && performance.now() - stoppedAt > 1_000
  if (stoppedAt !== null && !impatient) return
  stoppedAt ??= performance.now()
  stopSignal ??= signal
  if (running.size === 0) process.exit(128 + constants.signals[stopSignal])
  for (const child of running) kill(child, impatient ? 'SIGKILL' : signal)
  setTimeout(() => {
    for (const child of running) kill(child, 'SIGKILL')
  }, killAfterMs)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal))

// Whoever kills npm outright leaves its script running: nothing may outlive `npm run`. (package.json says `exec node …` for
// the same end: without it a shell sits between npm and us, and swallows a SIGINT that is sent to npm alone.)
if (process.env.npm_lifecycle_event && !windows) {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && stopSignal === null && stop('SIGTERM'), 500).unref()
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [command, ...args] = process.argv.slice(2)
  if (!command) {
    console.error('usage: node scripts/toolchain.mjs COMMAND … | --path')
    process.exit(2)
  }
  try {
    if (command === '--path') console.log((await pinnedPath()).split(delimiter).slice(0, 2).join(delimiter))
    else process.exitCode = (await tool(command, args)).code
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
