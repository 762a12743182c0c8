/**
 * The key of a server from the environment, where there is one (`process.env` on Node, Bun and Deno).
 * @param variable - Its name, e.g. `OPENAI_API_KEY`.
 * @param url - Where requests go. A key goes to the server it is for, and to no other unasked.
 * @param home - A URL of that server.
 * @returns undefined where there is none, it is blank, or `url` has another origin than `home`.
 */
export function keyFromEnvironment(variable: string | undefined, url: string, home: string): string | undefined {
  if (variable === undefined || new URL(url).origin !== new URL(home).origin) return undefined
  const { process } = globalThis as {
    readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> }
  }
  try {
    return process?.env?.[variable]?.trim() || undefined
  } catch {
    // Deno throws where it was not allowed to look.
    return undefined
  }
}
