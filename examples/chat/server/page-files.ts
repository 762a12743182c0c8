import type { RequestListener } from 'node:http'
import sirv from 'sirv'

/**
 * What the page may do: load its own files and talk to its own server. Nothing inline, nothing remote; an image that a
 * model puts into its answer is not fetched.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Serves the built page from a folder; whatever is not in it is 404. */
export function pageFiles(folder: string): RequestListener {
  // The folder is listed once, and only what was in that list is ever served.
  const serve = sirv(folder, {
    etag: true,
    setHeaders(response, path) {
      response.setHeader('Content-Security-Policy', contentSecurityPolicy)
      response.setHeader('X-Content-Type-Options', 'nosniff')
      response.setHeader('Referrer-Policy', 'no-referrer')
      // Names under /assets hold a hash of what is in them.
      response.setHeader(
        'Cache-Control',
        path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      )
    },
  })
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { Allow: 'GET, HEAD' }).end()
    serve(request, response, () => {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Not found\n')
    })
  }
}
