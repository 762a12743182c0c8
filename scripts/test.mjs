// `npm test`: installs, builds, and checks everything. Arguments go to vitest: `npm test -- packages/core`.
import { prepare, runSteps, step, vitestStep } from './steps.mjs'
import { runtimeSteps } from './runtimes.mjs'
import { versions } from './toolchain.mjs'

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

await runSteps(async () => {
  const { installed, built } = await prepare()
  if (!installed) return
  if (built) await step('pack, publint, attw', 'node', ['scripts/pack.mjs', '--built'])
  await step('format', 'pnpm', ['run', 'format:check'])
  await step('lint', 'pnpm', ['run', 'lint'])
  await step('types', 'pnpm', ['run', 'types'])
  await vitestStep('tests', process.argv.slice(2))
  if (built) await step('size', 'size-limit', ['--json'], { count: countSizes })
  // CI asks for them. The pinned Node has run the tests already.
  if (built && process.env.MIDSTREAM_RUNTIMES) await runtimeSteps((version) => !versions.node.startsWith(version))
})
