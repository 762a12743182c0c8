import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A wire between a browser and a server that can be cut. */
export interface Relay {
  readonly url: string
  /** Breaks every connection; new ones are let through. */
  cut(): void
  close(): Promise<void>
}

/** @param port - Where the server listens on this machine. */
export async function startRelay(port: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      sockets.add(socket)
      // What breaks one side is told to the other by its end.
      socket.on('error', () => undefined)
      socket.once('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    cut,
    close() {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
