// `npm run demo`: installs, builds, and serves the chat example and its gateway until Ctrl-C.
// `npm run demo:NAME`: the same for the other examples; what follows `--` is theirs to read.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root, tool } from './toolchain.mjs'

const others = Object.freeze({
  bot: join('examples', 'bot', 'dist', 'main.js'),
  embed: join('examples', 'embed', 'dist', 'server.js'),
  gateway: join('examples', 'gateway', 'dist', 'demo.js'),
  rag: join('examples', 'rag', 'dist', 'server.js'),
  servers: join('examples', 'servers', 'dist', 'main.js'),
})

const usage = `usage: npm run demo -- [--port N] [--upstream URL] [--model NAME]

  --port N         port of the page and its gateway (default 8080)
  --upstream URL   an Ollama server (default: http://127.0.0.1:11434 when it answers, else the embedded model)
  --model NAME     model to use (default: qwen3:32b where it is there, else the first)`

function parse() {
  const options = {
    port: { type: 'string' },
    upstream: { type: 'string' },
    model: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  }
  const { values } = parseArgs({ options })
  const { port = '8080', upstream, model, help = false } = values
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new Error(`--port must be 0 to 65535, got "${port}"`)
  if (upstream !== undefined && !/^https?:$/.test(URL.canParse(upstream) ? new URL(upstream).protocol : '')) {
    throw new Error(`--upstream must be an http(s) URL, got "${upstream}"`)
  }
  if (model === '') throw new Error('--model must not be empty')
  return {
    help,
    flags: ['--port', port, ...(upstream ? ['--upstream', upstream] : []), ...(model ? ['--model', model] : [])],
  }
}

/** Runs one step silently; its output is shown when it failed. Progress goes to stderr: stdout is the server's one line. */
async function prepare(name, args) {
  process.stderr.write(`${name} … `)
  const { code, output, ms } = await tool('pnpm', args, { quiet: true })
  process.stderr.write(code === 0 ? `${(ms / 1000).toFixed(1)} s\n` : `failed\n${output}`)
  if (code !== 0) process.exit(code)
}

async function serve(example, main, args, options) {
  await prepare('Installing', ['install', ...(existsSync(join(root, 'pnpm-lock.yaml')) ? ['--frozen-lockfile'] : [])])
  await prepare('Building', ['--filter', `{./examples/${example}}...`, 'run', 'build'])
  return (await tool('node', [main, ...args], { graceful: true, ...options })).code
}

async function main() {
  const [name, ...rest] = process.argv.slice(2)
  // A chat in this terminal. Without the flag it would ask for the credentials of a platform.
  if (name === 'bot') return serve(name, others.bot, rest.length > 0 ? rest : ['--demo'], { input: true })
  if (Object.hasOwn(others, name ?? '')) return serve(name, others[name], rest)
  let parsed
  try {
    parsed = parse()
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`)
    return 2
  }
  if (parsed.help) {
    console.log(usage)
    return 0
  }
  return serve('chat', join('examples', 'chat', 'dist', 'server.js'), parsed.flags)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
