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

/** A loopback server that ends with its test: on a free port, or on a Unix socket. */
export async function listen(listener: RequestListener, socketPath?: string): Promise<Listening> {
  const server = createServer(listener)
  const connections: { socket: Socket; closed: Promise<void> }[] = []
  server.on('connection', (socket: Socket) => {
    // A reset is what some tests want; `close` follows it.
    socket.on('error', () => undefined)
    connections.push({ socket, closed: new Promise((resolve) => socket.once('close', () => resolve())) })
  })
  if (socketPath === undefined) server.listen(0, '127.0.0.1')
  else server.listen(socketPath)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const port = socketPath === undefined ? (server.address() as AddressInfo).port : 0
  return { url: socketPath === undefined ? `http://127.0.0.1:${port}` : 'http://localhost', port, server, connections }
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
