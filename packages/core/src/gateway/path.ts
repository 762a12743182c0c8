/** A path below the base: its segments, and the query. */
export interface Path {
  readonly segments: readonly string[]
  readonly query: URLSearchParams
}

/**
 * Compares the text of a request's path with the base. No URL parser may come first: it turns `/x/../api/chat`, `/api/%2e/chat` and
 * `/api\chat` into the gateway's own path, and a guard in front that matches the text has let them through. So a path that a URL
 * parser or a proxy may write differently (dot segments, escapes, backslashes, empty segments) is not the gateway's.
 * @param url - Absolute; its host is skipped as text.
 * @returns Undefined when the path is not the gateway's.
 */
export function pathBelow(base: string, url: string): Path | undefined {
  const target = url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#\\]*/i, '')
  const end = target.indexOf('?')
  const path = end === -1 ? target : target.slice(0, end)
  const rest = path.slice(base.length)
  if (!path.startsWith(base) || !/^(?:\/(?!\.\.?(?:\/|$))[\w.~-]+)*\/?$/.test(rest)) return undefined
  return {
    segments: rest.split('/').filter((segment) => segment !== ''),
    query: new URLSearchParams(end === -1 ? '' : target.slice(end)),
  }
}
