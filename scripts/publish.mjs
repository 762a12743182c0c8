// What `npm run release` does with npm: asks what is there already, and publishes the rest.
import { tool } from './toolchain.mjs'

/** From 11.5.1 on, npm logs in with the identity of the workflow ("trusted publishing"). */
const npmVersion = '11.19.1'

const npm = (args, options) => tool('npx', ['-y', `npm@${npmVersion}`, ...args], options)

/**
 * Publishes those that are not on the registry yet, in their order: what broke off in the middle is finished by doing it again.
 * @param packages - `{ name, version, file }`, what others depend on first.
 * @throws {Error} When npm fails; those after it are not tried.
 */
export async function publishMissing(packages, { has = isPublished, publish = publishOne } = {}) {
  for (const entry of packages) {
    const spec = `${entry.name}@${entry.version}`
    if (await has(spec)) console.log(`${spec} is published already`)
    else await publish(entry)
  }
}

/** Whether the registry has a version. @throws {Error} When it cannot be asked. */
export async function isPublished(spec) {
  const { code, output } = await npm(['view', spec, 'version'], { quiet: true })
  if (code !== 0 && !output.includes('E404')) throw new Error(`npm view ${spec} ended with ${code}\n${output}`)
  return code === 0
}

async function publishOne({ name, file }) {
  const { code } = await npm(['publish', file, '--access', 'public', '--provenance'])
  if (code !== 0) throw new Error(`npm publish ended with ${code} for ${name}`)
}
