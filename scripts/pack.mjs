// Packs the three packages into artifacts/packages, as they would be published, and looks at the tarballs with publint and
// attw.
//   npm run pack                      installs and builds first: what `npm install artifacts/packages/*.tgz` takes elsewhere
//   node scripts/pack.mjs --built     takes the build that is there
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { prepare, runSteps } from './steps.mjs'
import { root, tool } from './toolchain.mjs'

export const packages = ['core', 'client', 'react']
const folder = join(root, 'artifacts', 'packages')

/** Where a package's tarball is. Its name carries no version, so that tests find it. */
export const tarball = (name) => join(folder, `midstream-${name}.tgz`)

/** Packs them all. @throws {Error} With what the tools said, when one of them found fault. */
export async function pack() {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  // One after the other: each packs with the workspace's manifest of the others.
  for (const name of packages) await check('pnpm', ['--dir', `packages/${name}`, 'pack', '--out', tarball(name)])
  await Promise.all(
    packages.flatMap((name) => [
      check('publint', ['run', tarball(name), '--strict']),
      check('attw', [
        tarball(name),
        '--profile',
        'esm-only',
        '--no-definitely-typed',
        '--no-emoji',
        '--format',
        'ascii',
      ]),
    ]),
  )
}

async function check(command, args) {
  const { code, output } = await tool(command, args, { quiet: true })
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}\n${output}`)
}

/** Name and version of a package, as it stands. */
export function manifest(name) {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'))
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv.includes('--built')) await pack()
  else await runSteps(async () => (await prepare()).built && pack())
  if (!process.exitCode) console.log(`The packages are in ${relative(root, folder)}`)
}
