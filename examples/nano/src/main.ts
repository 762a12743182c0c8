#!/usr/bin/env node
// The command `nano-serve`: serves the model until it is told to end.
import { readFlags, usage } from './flags.ts'
import { nanoDefaults, startNano } from './start.ts'

try {
  const options = readFlags(process.argv.slice(2))
  if (options === 'help') process.stdout.write(usage)
  else {
    const nano = await startNano(options)
    const pace = options.tokensPerSecond ?? nanoDefaults.tokensPerSecond
    console.log(`nano listens on ${nano.url} (${pace === 0 ? 'as fast as it goes' : `${pace} tokens/s`})`)
    const end = (): void => {
      // A second signal ends the process at once, by the default handler.
      process.off('SIGINT', end).off('SIGTERM', end)
      void nano.close()
    }
    process.on('SIGINT', end).on('SIGTERM', end)
  }
} catch (error) {
  console.error(`nano-serve: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
