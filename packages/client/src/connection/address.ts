import type { Endpoint } from './request.ts'

/** The parts of where a URL leads from this page; nothing when it leads nowhere, or the platform cannot tell (React Native). */
export function partsOf(url: string): Partial<Pick<URL, 'host' | 'username' | 'origin'> & { place: string }> {
  try {
    const { protocol, host, username, origin, pathname, search } = new URL(
      url,
      globalThis.document?.baseURI ?? globalThis.location?.href,
    )
    return { host, username, origin, place: `${protocol}//${host}${withoutSlash(pathname)}${search}` }
  } catch {
    return {}
  }
}

/** What the pages of an origin call a conversation: another gateway, whichever way its URL is written, has others. */
export function nameOf(
  prefix: string,
  { options, name }: { readonly options: Endpoint; readonly name: string },
): string {
  return `${prefix} ${partsOf(options.url).place ?? withoutSlash(options.url)}${name && ` ${name}`}`
}

const withoutSlash = (path: string): string => path.replace(/\/$/, '')
