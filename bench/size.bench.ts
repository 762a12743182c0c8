// What a page loads, minified and gzipped, with everything but React.
import { gzipSync } from 'node:zlib'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { build } from 'esbuild'
import { report, short } from './support/report.ts'

async function gzipped([name, contents]: readonly [string, string]): Promise<{
  name: string
  gzip: number
  minified: number
}> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    external: ['react', 'react-dom'],
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  })
  const bytes = outputFiles[0]!.contents
  return { name, gzip: gzipSync(bytes, { level: 9 }).length / 1_000, minified: bytes.length / 1_000 }
}

const require = createRequire(import.meta.url)
/** The version of an installed package, whether it exports its package.json or not. */
function versionOf(name: string): string {
  const folder = require.resolve.paths(name)!.map((path) => `${path}/${name}/package.json`)
  for (const file of folder) {
    try {
      return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
    } catch {
      // Not in this node_modules: the next one up.
    }
  }
  return '?'
}

const ours = `@midstream/react ${versionOf('@midstream/react')}`
const peer = `@ai-sdk/react ${versionOf('@ai-sdk/react')} (ai ${versionOf('ai')})`
const entries: Record<string, string> = {
  [`${ours}, \`useChatStream\``]: "export { useChatStream } from '@midstream/react'",
  [`${ours}, every export`]: "export * from '@midstream/react'",
  [`${peer}, \`useChat\``]: "export { useChat } from '@ai-sdk/react'",
  [`${peer}, every export of @ai-sdk/react`]: "export * from '@ai-sdk/react'",
}
const sizes = await Promise.all(Object.entries(entries).map(gzipped))
const base = sizes[0]!.gzip
report(`Size, esbuild ${versionOf('esbuild')}, React external`, [
  ['', 'min, kB', 'min+gzip, kB', 'ratio to `useChatStream`'],
  ...sizes.map(({ name, gzip, minified }) => [name, short(minified), short(gzip), short(gzip / base)]),
])
