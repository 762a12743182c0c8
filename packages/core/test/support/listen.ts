import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Listening {
  readonly url: string
  readonly port: number
  readonly server: Server
  /** Every connection so far, with a promise that settles once it has closed. */
  readonly connections: readonly { readonly socket: Socket; readonly closed: Promise<void> }[]
}

/** A loopback server that ends with its test. */
export async function listen(listener: RequestListener): Promise<Listening> {
  const server = createServer(listener)
  const connections: { socket: Socket; closed: Promise<void> }[] = []
  server.on('connection', (socket: Socket) => {
    // A reset is what some tests want; `close` follows it.
    socket.on('error', () => undefined)
    connections.push({ socket, closed: new Promise((resolve) => socket.once('close', () => resolve())) })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, server, connections }
}

/** A port of the loopback where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
