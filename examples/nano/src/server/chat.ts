import type { IncomingMessage, ServerResponse } from 'node:http'
import { renderPrompt } from '../model/prompt.ts'
import type { Runner } from '../runner/runner.ts'
import { deltaReply, finalReply, type Metrics } from './chat-reply.ts'
import { readChatRequest, type ChatRequest } from './chat-request.ts'
import { readBody } from './json-body.ts'
import type { Residency } from './residency.ts'
import { sendJson } from './send.ts'
import { StatusError } from './status-error.ts'

/** What answering a chat needs. */
export interface ChatContext {
  readonly runner: Runner
  readonly residency: Residency
  /** Gives the next `created_at`. */
  readonly stamp: () => string
}

/**
 * Answers `POST /api/chat`. Nothing is sent, not even headers, before the first token; when the client leaves, the load
 * or the generation ends with it.
 * @throws {StatusError} The request is refused; nothing was sent.
 */
export async function answerChat(context: ChatContext, incoming: IncomingMessage, out: ServerResponse): Promise<void> {
  const startedAt = performance.now()
  const gone = new AbortController()
  // Also fires after a complete answer, when nobody listens any more.
  out.once('close', () => gone.abort())
  const request = readChatRequest(await readBody(incoming))
  const { residency, stamp } = context
  if (request.kind === 'unload') {
    residency.unload()
    sendJson(out, 200, finalReply(request.model, stamp(), '', 'unload', null))
    return
  }
  await residency.acquire(gone.signal)
  if (request.kind === 'load') {
    residency.release(request.keepAliveMs)
    sendJson(out, 200, finalReply(request.model, stamp(), '', 'load', null))
    return
  }
  if (request.rendersOnly) {
    residency.release(request.keepAliveMs)
    const debug = { rendered_template: renderPrompt(request.messages) }
    sendJson(out, 200, { model: request.model, created_at: stamp(), _debug_info: debug })
    return
  }
  const loadNs = elapsedNs(startedAt)
  try {
    await answer(context, request, out, gone.signal, (usage) => ({ ...usage, totalNs: elapsedNs(startedAt), loadNs }))
  } finally {
    residency.release(request.keepAliveMs)
  }
}

function answer(
  { runner, stamp }: ChatContext,
  { model, messages, stream, options }: ChatRequest,
  out: ServerResponse,
  gone: AbortSignal,
  measure: (usage: Omit<Metrics, 'totalNs' | 'loadNs'>) => Metrics,
): Promise<void> {
  // No backpressure from slow readers: the context bounds an answer to 1,024 lines, so what may wait is small.
  const writeLine = (reply: object): void => {
    if (!out.headersSent) out.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
    out.write(`${JSON.stringify(reply)}\n`)
  }
  let whole = ''
  return new Promise((resolve, reject) => {
    const abort = runner.start(
      { messages, ...options },
      {
        delta(text) {
          if (stream) writeLine(deltaReply(model, stamp(), text))
          else whole += text
        },
        end(reason, usage) {
          const reply = finalReply(model, stamp(), whole, reason, measure(usage))
          if (stream) {
            writeLine(reply)
            out.end()
          } else sendJson(out, 200, reply)
          resolve()
        },
        fault(message) {
          const error = `an error was encountered while running the model: ${message}`
          if (!out.headersSent) return reject(new StatusError(500, error))
          writeLine({ error })
          out.end()
          resolve()
        },
      },
    )
    const leave = (): void => {
      abort()
      resolve()
    }
    if (gone.aborted) leave()
    else gone.addEventListener('abort', leave, { once: true })
  })
}

function elapsedNs(startedAt: number): number {
  return Math.max(1, Math.round((performance.now() - startedAt) * 1e6))
}
