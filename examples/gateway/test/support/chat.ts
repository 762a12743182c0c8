import { sseDecode } from '@midstream/core'

/** `fetch` for a path of one server. */
export type Call = (path: string, init?: RequestInit) => Promise<Response>

/** What a frame of the wire may hold. */
interface Frame {
  readonly run_id?: string
  readonly message?: string
  readonly done?: true
  readonly reason?: string
  readonly by?: string
  readonly ping?: string
  readonly attempt?: number
}

/** A stream that the test reads as far as it wants. */
export interface Chat {
  readonly response: Response
  readonly runId: string
  /** Reads until the text so far is this long, and gives it. */
  text(length: number): Promise<string>
  /** Reads until so many pings more have come. */
  pings(count: number): Promise<void>
  /** Reads until it is told that the model server is asked again. */
  retry(): Promise<void>
  /** Reads to the end, and gives the last frame. */
  end(): Promise<Frame | undefined>
  /** Hangs up. */
  leave(): Promise<void>
}

/** Asks in words, or with a whole history. */
export async function chat(
  call: Call,
  ask: string | readonly object[],
  headers: Readonly<Record<string, string>> = {},
  rest: object = {},
): Promise<Chat> {
  const messages = typeof ask === 'string' ? [{ role: 'user', content: ask }] : ask
  const response = await postJson(call, '/api/chat', { messages, ...rest }, headers)
  const frames = response.body?.pipeThrough(sseDecode()).getReader()
  let last: Frame | undefined
  let text = ''
  const next = async (): Promise<boolean> => {
    const read = await frames?.read()
    if (!read?.value) return false
    last = JSON.parse(read.value.data) as Frame
    text += last.message ?? ''
    return true
  }
  await next()
  return {
    response,
    runId: last?.run_id ?? '',
    async text(length) {
      while (text.length < length) if (!(await next())) throw new Error(`the stream ended after "${text}"`)
      return text
    },
    async pings(count) {
      for (let seen = 0; seen < count; seen += last?.ping === undefined ? 0 : 1)
        if (!(await next())) throw new Error(`the stream ended after ${seen} pings`)
    },
    async retry() {
      while (last?.attempt === undefined) if (!(await next())) throw new Error('the stream ended')
    },
    async end() {
      while (await next());
      return last
    },
    leave: async () => frames?.cancel(),
  }
}

export function postJson(
  call: Call,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}
