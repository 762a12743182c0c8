import type { ServerResponse } from 'node:http'

/** Answers with one JSON object and nothing after it. */
export function sendJson(out: ServerResponse, status: number, value: object): void {
  send(out, status, 'application/json; charset=utf-8', JSON.stringify(value))
}

/** Answers with a text. */
export function sendText(out: ServerResponse, status: number, text: string): void {
  send(out, status, 'text/plain; charset=utf-8', text)
}

function send(out: ServerResponse, status: number, type: string, body: string): void {
  if (out.destroyed) return
  out.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  out.end(body) // node:http leaves the body out when HEAD was asked
}
