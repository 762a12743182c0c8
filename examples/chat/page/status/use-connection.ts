import type { ChatClient, GatewayStatus } from '@midstream/client'
import { useEffect, useState } from 'react'

/** `offline`: the gateway itself does not answer; `reconnecting`: in the middle of a run. The rest is what it says of its model server. */
export type ConnectionState = 'connecting' | 'reconnecting' | 'offline' | GatewayStatus['upstream']['state']

export interface Connection {
  readonly state: ConnectionState
  readonly model?: string
}

/** How long until the gateway is asked again, ms: rarely while all is well, sooner while it is not. */
const calmMs = 30_000
const worriedMs = 5_000

/**
 * Asks the gateway how it is: at once, when the page becomes visible or the network comes back, whenever `occasion`
 * changes, and every now and then. Null is no occasion: a run is on its way, and shows by itself how things are.
 */
export function useConnection(client: ChatClient, occasion: string | null): Connection {
  const [connection, setConnection] = useState<Connection>({ state: 'connecting' })

  useEffect(() => {
    if (occasion === null) return
    let abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined

    const ask = async (): Promise<void> => {
      clearTimeout(timer)
      abort.abort()
      const { signal } = (abort = new AbortController())
      const next = await client.status(signal).then(
        ({ model, upstream }): Connection => ({ state: upstream.state, model }),
        (): Connection => ({ state: 'offline' }),
      )
      if (signal.aborted) return
      setConnection(({ model }) => ({ ...(model === undefined ? {} : { model }), ...next }))
      // A run that waits knows better than an answer that the gateway has held for a moment.
      const isWell = occasion !== 'waiting' && (next.state === 'ready' || next.state === 'idle')
      timer = setTimeout(() => void (document.hidden || ask()), isWell ? calmMs : worriedMs)
    }
    const onVisible = (): void => {
      if (!document.hidden) void ask()
    }
    const onNetwork = (): void => void ask()

    void ask()
    document.addEventListener('visibilitychange', onVisible)
    window.addEventListener('online', onNetwork)
    window.addEventListener('offline', onNetwork)
    return () => {
      clearTimeout(timer)
      abort.abort()
      document.removeEventListener('visibilitychange', onVisible)
      window.removeEventListener('online', onNetwork)
      window.removeEventListener('offline', onNetwork)
    }
  }, [client, occasion])

  return connection
}
