import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { staticFiles } from '../src/server/static-files.ts'

async function serveSite(): Promise<{ folder: string; site: string; url: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'site-'))
  const site = join(folder, 'site')
  await mkdir(join(site, 'below'), { recursive: true })
  await mkdir(join(folder, 'site-of-others'))
  const files = [
    'site/index.html',
    'site/a b.txt',
    'site/below/index.html',
    'site/.env',
    'secret.txt',
    'site-of-others/x',
  ]
  await Promise.all(files.map((file) => writeFile(join(folder, file), `text of ${file}`)))
  const server = createServer(staticFiles(site)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true, force: true })
  })
  return { folder, site, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function get(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  return `${response.status} ${await response.text()}`.trim()
}

test('static: serves files and index pages of the folder, parts of them, and their heads', async () => {
  const { url } = await serveSite()
  expect(await get(`${url}/`)).toBe('200 text of site/index.html')
  expect(await get(`${url}/a%20b.txt?x`)).toBe('200 text of site/a b.txt')
  expect(await get(`${url}/below/`)).toBe('200 text of site/below/index.html')
  expect(await get(`${url}/below`)).toBe('301 /below/')
  expect(await get(`${url}//below`)).toBe('301 /below/')
  expect(await get(`${url}/a%20b.txt`, { headers: { range: 'bytes=5-6' } })).toBe('206 of')
  expect(await get(`${url}/a%20b.txt`, { method: 'HEAD' })).toBe('200')
  expect(await get(`${url}/a%20b.txt`, { method: 'POST' })).toMatch(/^405/)
  for (const path of ['/none', '/%00', '/%', '/.env', '/%2e%2e/secret.txt', '/..%2fsite-of-others/x'])
    expect(await get(url + path)).toMatch(/^40[034]/)
})

test('static: a link that leads out of the folder is not followed, be it a file, a folder or a chain; one inside is', async () => {
  const { folder, site, url } = await serveSite()
  await symlink(join(folder, 'secret.txt'), join(site, 'out.txt'))
  await symlink('../secret.txt', join(site, 'relative.txt'))
  await symlink(folder, join(site, 'up'))
  await symlink('out.txt', join(site, 'chain.txt'))
  await symlink(join(folder, 'site-of-others'), join(site, 'others'))
  await symlink('.env', join(site, 'env.txt'))
  await mkdir(join(site, 'page'))
  await symlink(join(folder, 'secret.txt'), join(site, 'page', 'index.html'))
  await symlink('a b.txt', join(site, 'inside.txt'))
  await symlink('nothing', join(site, 'dangling.txt'))
  const outside = [
    'out.txt',
    'relative.txt',
    'up/secret.txt',
    'up',
    'up/',
    'chain.txt',
    'others/x',
    'others',
    'env.txt',
  ]
  for (const path of [...outside, 'page/', 'dangling.txt']) expect(await get(`${url}/${path}`)).toMatch(/^404/)
  expect(await get(`${url}/inside.txt`)).toBe('200 text of site/a b.txt')
})

test('static: the folder itself may be a link, and lead elsewhere later', async () => {
  const { folder } = await serveSite()
  await symlink('site', join(folder, 'current'))
  const server = createServer(staticFiles(join(folder, 'current'))).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect(await get(`${url}/`)).toBe('200 text of site/index.html')
  await symlink('site/below', join(folder, 'next'))
  await rename(join(folder, 'next'), join(folder, 'current'))
  expect(await get(`${url}/`)).toBe('200 text of site/below/index.html')
  server.closeAllConnections()
})

test('static: a pipe is not waited for', async () => {
  const { site, url } = await serveSite()
  execFileSync('mkfifo', [join(site, 'pipe')])
  expect(await get(`${url}/pipe`)).toMatch(/^404/)
})
