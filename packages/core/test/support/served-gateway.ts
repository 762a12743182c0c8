import { onTestFinished } from 'vitest'
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { toNodeListener } from '../../src/node/index.ts'
import { frameReader, type FrameReader, type WireEvent } from './frames.ts'
import { listen } from './listen.ts'

/** A gateway behind `node:http`, asked over real sockets. */
export interface ServedGateway {
  /** Starts a run and reads its first frame. */
  ask(body: object, init?: RequestInit): Promise<{ frames: FrameReader; first: WireEvent }>
  /** Starts a run and waits for its end. */
  whole(body: object): Promise<WholeAnswer>
  interrupt(runId: string | undefined, position?: number): Promise<InterruptAnswer>
}
interface WholeAnswer {
  readonly message: { readonly content: string }
  readonly reason: string
}
interface InterruptAnswer {
  readonly outcome: string
  readonly position: number
  readonly partial: { readonly content: string }
}

/** Ends with its test. */
export async function serveGateway(options: GatewayOptions): Promise<ServedGateway> {
  const gateway = createGateway(options)
  onTestFinished(() => gateway.close())
  const { url } = await listen(toNodeListener(gateway))
  const post = (path: string, body: object, init?: RequestInit): Promise<Response> =>
    fetch(`${url}/api/chat${path}`, { method: 'POST', body: JSON.stringify(body), ...init })
  return {
    async ask(body, init) {
      const frames = frameReader((await post('', body, init)).body)
      return { frames, first: (await frames.next())!.event }
    },
    whole: async (body) => (await post('', { ...body, stream: false })).json() as Promise<WholeAnswer>,
    async interrupt(runId, position) {
      const body = position === undefined ? {} : { position }
      return (await post(`/runs/${runId}/interrupt`, body)).json() as Promise<InterruptAnswer>
    },
  }
}
