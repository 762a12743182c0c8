// The steps of `npm test` and `npm run test:runtimes`, what they count to, and the summary at the end. The last line is
// `N passed, N failed`, with `, N skipped` where there are any; each test and each other step counts one.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { root, tool } from './toolchain.mjs'

const artifacts = join(root, 'artifacts')
const skips = join(artifacts, 'skips.txt')
const total = { passed: 0, failed: 0, skipped: 0 }
const lines = []

/**
 * Runs a command as one step.
 * @param options.show - Show its output at once, and not only when it fails.
 * @param options.count - Says what it counts, by its exit code and output. Default: one.
 * @returns Whether nothing failed.
 */
export async function step(name, command, args, { show = false, env, count } = {}) {
  console.log(`\n> ${name}`)
  const { code, stdout, output, ms } = await tool(command, args, { quiet: !show, env })
  const counted = count?.({ code, stdout }) ?? { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 }
  const failed = counted.failed > 0
  if (failed && !show) console.log(output.trimEnd())
  for (const key of Object.keys(counted)) total[key] += counted[key]
  const line = `${failed ? 'FAILED' : 'ok    '} ${name} (${(ms / 1000).toFixed(1)} s)`
  console.log(line)
  lines.push(line)
  return !failed
}

/** Installs and builds. @returns Which of the two went well. */
export async function prepare() {
  const frozen = existsSync(join(root, 'pnpm-lock.yaml')) ? ['--frozen-lockfile'] : []
  const installed = await step('install', 'pnpm', ['install', ...frozen])
  return { installed, built: installed && (await step('build', 'pnpm', ['run', 'build'])) }
}

/**
 * Runs vitest as one step that counts each test.
 * @param options.file - Name of the report in artifacts/.
 * @param options.node - Another Node than the pinned one: its path.
 */
export function vitestStep(name, args, { file = 'vitest.json', node, env = {} } = {}) {
  const report = join(artifacts, file)
  rmSync(report, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const command = node ? [node, join(root, 'node_modules/vitest/vitest.mjs')] : ['vitest']
  const [program, ...before] = [...command, 'run', ...reporters, ...args]
  const count = ({ code }) => countTests(report, code)
  return step(name, program, before, { show: true, env: { MIDSTREAM_SKIPS: skips, ...env }, count })
}

/** Tests by vitest's JSON report. A file that failed outside of its tests, and a run that ended badly, count as one each. */
function countTests(report, code) {
  if (!existsSync(report)) return { passed: 0, failed: 1 }
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const file of JSON.parse(readFileSync(report, 'utf8')).testResults) {
    const statuses = file.assertionResults.map((result) => result.status)
    for (const status of statuses) counts[status === 'passed' || status === 'failed' ? status : 'skipped'] += 1
    const where = relative(root, file.name)
    if (file.status === 'failed' && !statuses.includes('failed')) {
      counts.failed += 1
      lines.push(`failed: ${where}: ${firstLine(file.message)}`)
    }
    for (const { status, fullName, failureMessages } of file.assertionResults) {
      if (status === 'failed') lines.push(`failed: ${fullName.trim()} (${where}): ${firstLine(failureMessages?.[0])}`)
      else if (status !== 'passed') lines.push(`skipped: ${fullName.trim()} (${where})`)
    }
  }
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

const firstLine = (text = '') => stripVTControlCharacters(text).split('\n', 1)[0]

function skipReasons() {
  if (!existsSync(skips)) return []
  return [...new Set(readFileSync(skips, 'utf8').split('\n').filter(Boolean))].map((reason) => `  missing: ${reason}`)
}

/** Runs all steps and says what came of them; the exit code does, too. */
export async function runSteps(steps) {
  mkdirSync(artifacts, { recursive: true })
  rmSync(skips, { force: true })
  try {
    await steps()
  } catch (error) {
    console.log(error.stack)
    total.failed += 1
  }
  console.log(`\n${[...lines, ...skipReasons()].join('\n')}\n`)
  console.log(`${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ''}`)
  process.exitCode = total.failed ? 1 : 0
}
