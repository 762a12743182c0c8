// `npm run release`: what stands in the packages is built, packed and checked; .github/workflows/release.yml then publishes the
// tarballs in a job of its own, which installs nothing.
//   npm run release -- --pack               packs, and fails where something stands against publishing
//   npm run release -- --dry-run            shows what would be published, and what stands against it
//   npm run release -- --dry-run --packed   the same of what is packed already
// Versions and changelogs come first, in a commit of their own: `npm run release:version` (see CONTRIBUTING.md).
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { manifest, pack, packages, tarball } from './pack.mjs'
import { prepare, runSteps } from './steps.mjs'
import { root, tool } from './toolchain.mjs'
import { versionSource } from './version.mjs'

const dryRun = process.argv.includes('--dry-run')
const isPacked = dryRun && process.argv.includes('--packed')

/** Why nothing can be published from here. */
function obstacles() {
  const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const versions = new Set(packages.map((name) => manifest(name).version))
  const source = readFileSync(join(root, 'packages/core/src/version.ts'), 'utf8')
  const dirty = spawnSync('git', ['status', '--porcelain'], { cwd: root }).stdout?.toString().trim()
  return [
    versions.size === 1 ? '' : `the packages have different versions: ${[...versions].join(', ')}`,
    source === versionSource(manifest('core').version) ? '' : 'packages/core/src/version.ts says another version',
    repository
      ? ''
      : 'nobody has said where the repository is, which provenance needs: ' +
        'npm pkg set repository.type=git repository.url=git+https://…, then pnpm install --no-frozen-lockfile',
    dirty ? 'the work tree has changes that are not committed' : '',
    process.env.GITHUB_ACTIONS || process.env.GITLAB_CI ? '' : 'provenance is attested by GitHub Actions or GitLab CI',
  ].filter(Boolean)
}

/** Says what is in a tarball. */
async function show(name) {
  const { version, dependencies = {}, peerDependencies = {} } = manifest(name)
  const { code, output } = await tool('tar', ['-tzf', tarball(name)], { quiet: true })
  if (code !== 0) throw new Error(`tar ended with ${code} for ${tarball(name)}\n${output}`)
  const files = output.trimEnd().split('\n').toSorted()
  const needs = Object.keys({ ...dependencies, ...peerDependencies }).join(', ')
  console.log(`\n@midstream/${name}@${version}: ${files.length} files; needs ${needs}`)
  for (const file of files) console.log(`  ${file.replace(/^package\//, '')}`)
}

async function release() {
  if (!isPacked) await pack()
  for (const name of packages) await show(name)
  const against = obstacles()
  console.log(`\n${against.map((reason) => `not yet: ${reason}\n`).join('')}`)
  if (dryRun) return console.log('A dry run: nothing was published.')
  if (against.length > 0) throw new Error('Nothing is to be published.')
}

if (!dryRun && !process.argv.includes('--pack')) {
  console.error('Publishing is for .github/workflows/release.yml; here: --dry-run, or --pack')
  process.exitCode = 2
} else if (isPacked) await release()
else await runSteps(async () => (await prepare()).built && release())
