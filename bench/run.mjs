// `npm run bench -- NAME …` builds the packages and runs bench/NAME.bench.ts against what was built; without a name it lists
// them. Plain JavaScript, as scripts/ is: it runs under whatever Node npm found, and starts the pinned one.
import { readdirSync } from 'node:fs'
import { tool } from '../scripts/toolchain.mjs'

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length))
const args = process.argv.slice(2)
const wanted = args.filter((arg) => arg !== '--no-build')

/** What `pnpm install` and the build say is shown only when they fail. */
async function prepare() {
  const steps = [
    ['install', '--frozen-lockfile'],
    ['--filter', './packages/*', '--filter', './examples/nano', '--filter', './examples/gateway', 'run', 'build'],
  ]
  for (const step of steps) {
    const { code, output } = await tool('pnpm', step, { quiet: true })
    if (code === 0) continue
    console.error(`${output.trimEnd()}\n\npnpm ${step.join(' ')} failed`)
    return false
  }
  return true
}

if (wanted.length === 0 || wanted.some((name) => !names.includes(name))) {
  console.log(`usage: npm run bench -- [--no-build] NAME …\n\n${names.map((name) => `  ${name}`).join('\n')}`)
  process.exitCode = wanted.length === 0 ? 0 : 2
} else if (!args.includes('--no-build') && !(await prepare())) {
  process.exitCode = 1
} else {
  for (const name of wanted) {
    const { code } = await tool('node', ['--expose-gc', `bench/${name}.bench.ts`])
    process.exitCode ||= code
  }
}
