import { requireProgram } from '@midstream/test-support'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import type { Call } from './chat.ts'
import { temporaryFolder, watchLines } from './program.ts'

/** Null where it is missing: the tests skip, and say what to install. Debian puts it where only root's PATH leads. */
export const nginxPath: string | null = requireProgram(
  'nginx',
  'apt-get install nginx, and /usr/sbin on PATH or MIDSTREAM_NGINX=/usr/sbin/nginx',
  'MIDSTREAM_NGINX',
)

const shipped = readFileSync(new URL('../../nginx/midstream.conf', import.meta.url), 'utf8')

/** A real nginx with the shipped configuration. It ends with the test. */
export interface Nginx {
  readonly url: string
  readonly fetch: Call
  /** The process id of the worker that takes connections now. */
  readonly worker: number
  readonly logged: readonly string[]
  /** The first line of its log that matches. */
  line(pattern: RegExp): Promise<string>
  /** `nginx -s reload`; resolves when the old worker takes no more connections and a new one does. */
  reload(): Promise<void>
}

interface How {
  readonly port: number
  /** Where the gateway is. */
  readonly gateway: string
  /** The folder of the site. */
  readonly site?: string
  /** Directives around the shipped ones, in the main context and in `http`. */
  readonly main?: string
  readonly http?: string
  /** What stands once in the shipped file, and what stands there instead. */
  readonly changes?: Readonly<Record<string, string>>
}

/**
 * Starts nginx without any right that it would need elsewhere, in a folder of its own. The configuration around the shipped
 * one is as unkind to streams as one may be: it compresses everything.
 */
export async function startNginx(how: How): Promise<Nginx> {
  const folder = temporaryFolder({
    'midstream.conf': change({
      'listen 8080;': `listen 127.0.0.1:${how.port};`,
      'http://127.0.0.1:18789;': `${how.gateway};`,
      'root /var/www/midstream;': `root ${how.site ?? '.'};`,
      ...how.changes,
    }),
    'nginx.conf': `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
${how.main ?? ''}
events {}
http {
  types { text/html html; application/javascript js; }
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join(' ')}
  gzip on;
  gzip_types *;
  gzip_min_length 0;
  gzip_proxied any;
  ${how.http ?? ''}
  include midstream.conf;
}
`,
  })
  const args = ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')]
  const child = spawn(nginxPath!, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    // Not SIGKILL, which its workers would outlive.
    child.kill('SIGTERM')
    await exited
  })
  const log = watchLines(child.stderr)
  const ended = exited.then((): never => {
    throw new Error(`nginx ended: ${log.lines.join('\n')}`)
  })
  ended.catch(() => undefined)
  const line = (pattern: RegExp): Promise<string> => Promise.race([log.find((one) => pattern.test(one)), ended])
  const started = / start worker process (\d+)$/
  await line(started)
  const worker = (): number => Number(started.exec(log.lines.findLast((one) => started.test(one)) ?? '')?.[1])
  const url = `http://127.0.0.1:${how.port}`
  return {
    url,
    fetch: (path, init) => fetch(url + path, init),
    get worker() {
      return worker()
    },
    logged: log.lines,
    line,
    async reload() {
      const old = worker()
      await promisify(execFile)(nginxPath!, [...args, '-s', 'reload'])
      // It is told to go when the new one has been started.
      await line(new RegExp(` ${old}#.* gracefully shutting down$`))
    },
  }
}

function change(changes: Readonly<Record<string, string>>): string {
  let text = shipped
  for (const [from, to] of Object.entries(changes)) {
    const parts = text.split(from)
    if (parts.length !== 2) throw new Error(`midstream.conf has ${parts.length - 1} times "${from}", not once`)
    text = parts.join(to)
  }
  return text
}
