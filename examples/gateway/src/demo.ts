// `npm run demo:gateway`: the program as it is, with the embedded model behind it and the page of examples/chat beside it.
import { startNano } from '@midstream/example-nano'
import { fileURLToPath } from 'node:url'
import { main } from './cli.ts'

const pathOf = (url: string | URL): string => fileURLToPath(url)

const { url } = await startNano()
process.env['NANO_URL'] = url
process.env['CHAT_PAGE'] = pathOf(new URL('./dist/page', import.meta.resolve('@midstream/example-chat/package.json')))
process.env['PORT'] ??= '8080'
await main(['--config', pathOf(new URL('../demo.yaml', import.meta.url)), ...process.argv.slice(2)])
