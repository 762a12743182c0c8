// `npm run test:runtimes`: the packages' own tests on every Node that is supported, and a conversation from end to end over
// the built packages on each of them, Bun and Deno. npm brings them all. (Chromium, a page and a worker in it: `npm test`.)
import { pathToFileURL } from 'node:url'
import { prepare, runSteps, step, vitestStep } from './steps.mjs'
import { run } from './toolchain.mjs'

const nodes = ['22.12', '24', '26']
const others = [
  { name: 'bun', version: '1.4.5', args: [] },
  { name: 'deno', version: '2.9.6', args: ['run', '--allow-all'] },
]
const smoke = 'scripts/runtimes/main.mjs'

/** @param isMeant - On which Nodes the packages' tests are run; the smoke test is run on all. */
export async function runtimeSteps(isMeant = () => true) {
  for (const version of nodes) {
    const node = await bring('node', version)
    if (node) await step(`smoke on Node ${version}`, node, [smoke])
    if (!node || !isMeant(version)) continue
    // The tests start programs from their sources, which Node runs without a flag from 22.18 on.
    const env =
      version === '22.12' ? { NODE_OPTIONS: '--experimental-strip-types --disable-warning=ExperimentalWarning' } : {}
    await vitestStep(`packages on Node ${version}`, ['packages/'], { file: `vitest-node-${version}.json`, node, env })
  }
  for (const { name, version, args } of others) {
    const program = await bring(name, version)
    if (program) await step(`smoke on ${name} ${version}`, program, [...args, smoke])
  }
}

/** The path of a runtime that npm brings as a package; what npm says when it cannot is a failed step. */
async function bring(name, version) {
  const find = ['-y', '-p', `${name}@${version}`, '-c', `command -v ${name}`]
  const { code, stdout } = await run('npx', find, { quiet: true })
  if (code === 0) return stdout.trim()
  await step(`npm brings ${name}@${version}`, 'npx', find)
  return null
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runSteps(async () => {
    if ((await prepare()).built) await runtimeSteps()
  })
}
