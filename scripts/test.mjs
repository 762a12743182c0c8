// `npm test`: installs, builds, and checks everything. Arguments go to vitest: `npm test -- packages/core`.
// The last line is `N passed, N failed`, with `, N skipped` where there are any; each test and each other step counts one.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root, tool } from './toolchain.mjs'

const report = join(root, 'artifacts', 'vitest.json')
const skips = join(root, 'artifacts', 'skips.txt')
const total = { passed: 0, failed: 0, skipped: 0 }
const lines = []

async function step(name, command, args, { show = false, env, count } = {}) {
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

/** Tests by vitest's JSON report. A file that failed outside of its tests, and a run that ended badly, count as one each. */
function countTests({ code }) {
  if (!existsSync(report)) return { passed: 0, failed: 1 }
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const file of JSON.parse(readFileSync(report, 'utf8')).testResults) {
    const statuses = file.assertionResults.map((result) => result.status)
    for (const status of statuses) counts[status === 'passed' || status === 'failed' ? status : 'skipped'] += 1
    if (file.status === 'failed' && !statuses.includes('failed')) counts.failed += 1
    for (const { status, fullName } of file.assertionResults) {
      if (status !== 'passed' && status !== 'failed')
        lines.push(`skipped: ${fullName.trim()} (${relative(root, file.name)})`)
    }
  }
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

/** One per size budget. */
function countSizes({ code, stdout }) {
  if (!stdout.trimStart().startsWith('[')) return { passed: 0, failed: 1 }
  const counts = { passed: 0, failed: 0 }
  for (const { name, passed, size, sizeLimit } of JSON.parse(stdout)) {
    counts[passed ? 'passed' : 'failed'] += 1
    console.log(
      `${passed ? 'ok    ' : 'FAILED'} ${name}: ${(size / 1000).toFixed(2)} of ${(sizeLimit / 1000).toFixed(2)} kB`,
    )
  }
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

function skipReasons() {
  if (!existsSync(skips)) return []
  return [...new Set(readFileSync(skips, 'utf8').split('\n').filter(Boolean))].map((reason) => `  missing: ${reason}`)
}

async function main() {
  mkdirSync(join(root, 'artifacts'), { recursive: true })
  for (const file of [report, skips]) rmSync(file, { force: true })
  const frozen = existsSync(join(root, 'pnpm-lock.yaml')) ? ['--frozen-lockfile'] : []
  if (!(await step('install', 'pnpm', ['install', ...frozen]))) return
  const built = await step('build', 'pnpm', ['run', 'build'])
  await step('format', 'pnpm', ['run', 'format:check'])
  await step('lint', 'pnpm', ['run', 'lint'])
  await step('types', 'pnpm', ['run', 'types'])
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const env = { MIDSTREAM_SKIPS: skips }
  await step('tests', 'vitest', ['run', ...reporters, ...process.argv.slice(2)], { show: true, env, count: countTests })
  if (built) await step('size', 'size-limit', ['--json'], { count: countSizes })
}

try {
  await main()
} catch (error) {
  console.log(error.stack)
  total.failed += 1
}
console.log(`\n${[...lines, ...skipReasons()].join('\n')}\n`)
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ''}`)
process.exitCode = total.failed ? 1 : 0
