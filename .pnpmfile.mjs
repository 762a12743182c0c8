// What is packed names no source files and no tools: only the workspace has them.
import { readFileSync } from 'node:fs'

// The one place where the repository is named; without it, scripts/release.mjs publishes nothing.
const { repository } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

function beforePacking({ devDependencies: _tools, scripts: _commands, ...manifest }) {
  const directory = `packages/${manifest.name.split('/')[1]}`
  return { ...withoutSource(manifest), ...(repository && { repository: { ...repository, directory } }) }
}

/** Takes the condition "@midstream/source" out of `exports` and `imports`: it points into src. */
function withoutSource(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).filter(([key]) => key !== '@midstream/source')
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutSource(inner)]))
}

export const hooks = { beforePacking }
