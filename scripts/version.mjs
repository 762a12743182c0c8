// `npm run release:version`: raises the versions by the changesets, writes the changelogs, and tells the code its version.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { manifest } from './pack.mjs'
import { root, tool } from './toolchain.mjs'

/** What stands in packages/core/src/version.ts. */
export const versionSource = (version) => `/** The version of this package. @public */
export const version: string = '${version}'
`

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { code } = await tool('changeset', ['version'])
  if (code === 0) writeFileSync(join(root, 'packages/core/src/version.ts'), versionSource(manifest('core').version))
  process.exitCode = code
}
