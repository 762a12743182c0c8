// `npm run build:binary`: installs, and makes artifacts/midstream-gateway: examples/gateway, with all its packages and the
// pinned Node, as one executable file. With --no-install the installation stays as it is.
import { copyFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root, tool } from './toolchain.mjs'

const binary = join(root, 'artifacts', 'midstream-gateway')
const folder = 'artifacts/binary'

/** By this name, and when this mark in its own bytes is set, Node finds what was put into it. */
const section = 'NODE_SEA_BLOB'
const mark = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/** Runs one step. Its output is shown when it failed. @returns What it printed. */
async function step(name, command, args) {
  process.stderr.write(`${name} … `)
  const { code, stdout, output, ms } = await tool(command, args, { quiet: true })
  process.stderr.write(code === 0 ? `${(ms / 1000).toFixed(1)} s\n` : `failed\n${output}`)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`)
  return stdout.trim()
}

async function build() {
  // The way to main.cjs is kept in the binary, for stack traces: it must say nothing of this machine.
  const [main, output, config] = ['main.cjs', 'main.blob', 'sea.json'].map((name) => `${folder}/${name}`)
  const made = join(root, folder, 'midstream-gateway')
  await step('Bundling', 'pnpm', ['--dir', 'examples/gateway', 'run', 'bundle', '--out-dir', join(root, folder)])
  const options = { main, output, disableExperimentalSEAWarning: true, useCodeCache: true }
  await writeFile(join(root, config), JSON.stringify(options))
  await step('Compiling', 'node', ['--experimental-sea-config', config])
  await copyFile(await step('Finding Node', 'node', ['--print', 'process.execPath']), made)
  await step('Joining', 'postject', [made, section, output, '--sentinel-fuse', mark])
  const version = await step('Starting', made, ['--version'])
  // Under its name at once and whole: another that runs by that name goes on.
  await rename(made, binary)
  const { size } = await stat(binary)
  console.log(`${binary}: version ${version}, ${(size / 1e6).toFixed(0)} MB`)
}

async function main() {
  if (process.platform !== 'linux')
    throw new Error('This makes executables for Linux only; examples/gateway/README.md says what other systems need.')
  if (!process.argv.includes('--no-install')) await step('Installing', 'pnpm', ['install', '--frozen-lockfile'])
  const clean = () => rm(join(root, folder), { recursive: true, force: true })
  await clean()
  await mkdir(join(root, folder), { recursive: true })
  await build().finally(clean)
}

try {
  await main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
