import { vi } from 'vitest'
import type { Call } from './chat.ts'

/** Calls what the route file exports, as Next.js does: one function for each method. */
export async function openNextRoute(upstream: string): Promise<{ readonly call: Call; close(): Promise<void> }> {
  vi.stubEnv('OLLAMA_URL', upstream)
  vi.stubEnv('MODEL', 'recording')
  const route = await import('../../src/next-route.ts')
  vi.unstubAllEnvs()
  return {
    call(path, init = {}) {
      const method = init.method ?? 'GET'
      if (!Object.hasOwn(route, method)) throw new Error(`the route exports no ${method}`)
      return route[method as keyof typeof route](new Request(new URL(path, 'http://localhost:3000'), init))
    },
    close: () => route.GET.close(),
  }
}
