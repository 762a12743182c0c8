// One server in front of the model server, in a process of its own: `pipe`, `node`, `web` or `better-sse`, as its argument says.
import { createServer } from 'node:http'
import { createGateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { fetchTransport, ollama, openaiCompatible } from '@midstream/core/upstream'
import { createBetterSse } from './better-sse.ts'
import { play } from './child.ts'
import { cpuNow } from './cpu.ts'
import { listen } from './listen.ts'
import { createPipe } from './pipe.ts'
import { createWebServer } from './web-server.ts'

const kind = process.argv[2]

const start = (upstreamUrl: string, model = 'qwen3:32b', wire: 'ollama' | 'openai' = 'ollama'): Promise<string> => {
  if (kind === 'pipe') return listen(createPipe(upstreamUrl))
  if (kind === 'better-sse') return listen(createBetterSse(`${upstreamUrl}/v1/chat/completions`))
  const transport = kind === 'web' ? fetchTransport() : undefined
  const gateway = createGateway({
    upstream:
      wire === 'ollama'
        ? ollama({ url: upstreamUrl, model, transport })
        : openaiCompatible({ url: `${upstreamUrl}/v1`, model, transport, apiKey: 'none' }),
    limits: { runs: 10_000 },
    fuse: { stallMs: 600_000 },
  })
  return listen(kind === 'web' ? createWebServer(gateway) : createServer(toNodeListener(gateway)))
}

play({
  start,
  cpu: cpuNow,
  rss: () => ({ rss: process.memoryUsage.rss() }),
  /** Bytes that live, after everything that can go has gone. */
  async memory() {
    for (let i = 0; i < 4; i++) {
      globalThis.gc!()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const { heapUsed, external, rss } = process.memoryUsage()
    return { live: heapUsed + external, rss }
  },
})
