// `npm run release`: what stands in the packages is built, packed, checked and published, with provenance, from CI.
//   npm run release -- --dry-run    shows what would be published, and publishes nothing
// Versions and changelogs come first, in a commit of their own: `pnpm changeset version` (see CONTRIBUTING.md).
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { manifest, pack, packages, tarball } from './pack.mjs'
import { prepare, runSteps } from './steps.mjs'
import { root, tool } from './toolchain.mjs'

const dryRun = process.argv.includes('--dry-run')

/** Why nothing can be published from here. */
function obstacles() {
  const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const versions = new Set(packages.map((name) => manifest(name).version))
  const source = readFileSync(join(root, 'packages/core/src/version.ts'), 'utf8')
  const dirty = spawnSync('git', ['status', '--porcelain'], { cwd: root }).stdout?.toString().trim()
  return [
    versions.size === 1 ? '' : `the packages have different versions: ${[...versions].join(', ')}`,
    source.includes(`'${manifest('core').version}'`) ? '' : 'packages/core/src/version.ts has another version',
    repository ? '' : 'the root package.json names no "repository" ({ "type": "git", "url": … }): provenance needs it',
    dirty ? 'the work tree has changes that are not committed' : '',
    process.env.GITHUB_ACTIONS || process.env.GITLAB_CI ? '' : 'provenance is attested by GitHub Actions or GitLab CI',
  ].filter(Boolean)
}

async function show(name) {
  const { version, dependencies = {}, peerDependencies = {} } = manifest(name)
  const { output } = await tool('tar', ['-tzvf', tarball(name)], { quiet: true })
  const files = output.trimEnd().split('\n')
  const bytes = files.reduce((sum, line) => sum + Number(/\s(\d+)\s/.exec(line)?.[1] ?? 0), 0)
  const needs = Object.keys({ ...dependencies, ...peerDependencies }).join(', ')
  console.log(
    `@midstream/${name}@${version}: ${files.length} files, ${Math.round(bytes / 1000)} kB unpacked; needs ${needs}`,
  )
}

async function release() {
  await pack()
  for (const name of packages) await show(name)
  const { output } = await tool('changeset', ['publish-plan'], { quiet: true })
  console.log(`\n${output.trim()}\n`)
  const against = obstacles()
  for (const reason of against) console.log(`not yet: ${reason}`)
  if (dryRun) return console.log('\nA dry run: nothing was published.')
  if (against.length > 0) throw new Error('Nothing was published.')
  // What was looked at is what is published.
  for (const name of packages) {
    const { code } = await tool('npm', ['publish', tarball(name), '--access', 'public', '--provenance'])
    if (code !== 0) throw new Error(`npm publish ended with ${code} for ${name}`)
  }
  await tool('changeset', ['git-tag'])
}

await runSteps(async () => {
  if ((await prepare()).built) await release()
})
