#!/usr/bin/env node
// The command: serves the robot to the platforms that have their credentials, or tries it in the terminal.
import { startBot } from './bot.ts'
import { nothingToServe, readConfig, readFlags, usage } from './config.ts'
import { runDemo } from './demo/demo.ts'

async function start(): Promise<void> {
  const flags = readFlags(process.argv.slice(2))
  if (flags === 'help') return void process.stdout.write(usage)
  const config = readConfig(process.env)
  if (flags !== 'serve') {
    // Nothing of a chat in a terminal is to be kept: Ctrl-C is its usual end.
    process.once('SIGINT', () => process.exit())
    return runDemo(config, flags.demo, process.stdin, process.stdout)
  }
  if (!config.dingtalk && !config.wecom) throw new TypeError(nothingToServe)

  const bot = await startBot(config, { onProblem: (problem) => console.error(problem) })
  console.log(`bot on ${bot.url} · ${bot.paths.join(', ')} · ${bot.model}`)
  if (config.dingtalk && config.dingtalk.cardTemplateId === undefined) {
    console.log('dingtalk: no DINGTALK_CARD_TEMPLATE_ID, so answers are posted whole instead of growing in a card')
  }
  const stop = (): void => {
    // A second signal ends the process at once, by the default handler.
    process.off('SIGINT', stop).off('SIGTERM', stop)
    void bot.close().finally(() => process.exit())
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
}

await start().catch((error: unknown) => {
  console.error(`bot: ${error instanceof Error ? error.message : String(error)}`)
  // Not `exitCode`: what was started before the failure would keep the process alive.
  process.exit(error instanceof TypeError || error instanceof RangeError ? 2 : 1)
})
