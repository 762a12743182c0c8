// `npm run docs`: installs, and builds the documentation site into docs/.vitepress/dist, which any static host can serve;
// below a folder of it with `DOCS_BASE=/folder/ npm run docs`.
// `npm run docs:dev` serves it instead, and shows what is edited; what comes from docstrings is read once, at the start.
import { tool } from './toolchain.mjs'

const [script = 'build'] = process.argv.slice(2)
try {
  const { code, output } = await tool('pnpm', ['install', '--frozen-lockfile'], { quiet: true })
  if (code !== 0) console.error(output)
  const run = ['--filter', '@midstream/docs', 'run', script]
  process.exitCode = code || (await tool('pnpm', run, { graceful: script === 'dev' })).code
  if (process.exitCode === 0 && script === 'build') console.log('The site is in docs/.vitepress/dist')
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
