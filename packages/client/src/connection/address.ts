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

/** Where a URL leads, the same whichever way it is written. */
export const placeOf = (url: string): string => partsOf(url).place ?? withoutSlash(url)

const withoutSlash = (path: string): string => path.replace(/\/$/, '')
