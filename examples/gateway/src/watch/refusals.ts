import type { Log } from './logs.ts'

/** How many hosts and origins are told of; whoever sends more makes them up. */
const most = 50

/** What somebody who has set up a proxy or a page wants to read when nothing works: said once for each name. */
export function createRefusalHints(
  log: Log,
): (code: string, request: { readonly method: string; readonly headers: Pick<Headers, 'get'> }) => void {
  const told = new Set<string>()
  const keys: ReadonlyMap<string, readonly [header: string, key: string]> = new Map([
    ['host_not_allowed', ['host', 'server.allowed_hosts']],
    ['origin_not_allowed', ['origin', 'server.cors_allowed_origins']],
  ])
  return (code, request) => {
    const [header, key] = keys.get(code) ?? []
    log.debug({ code, method: request.method }, 'refused')
    if (header === undefined) return
    const name = (request.headers.get(header) ?? '').slice(0, 200)
    if (told.has(`${header} ${name}`) || told.size >= most) return
    told.add(`${header} ${name}`)
    log.warn({ code, [header]: name }, `refused; ${key} would let it in`)
  }
}
