import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A free port outside the range that systems give to whoever asks for any: nobody takes it before the program that is told
 * it, nor while that one is killed and started again.
 */
export async function quietPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
