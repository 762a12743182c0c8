import { afterEach, beforeEach, expect, test, vi } from 'vitest'

beforeEach(() => void vi.resetModules())
afterEach(() => void vi.unstubAllEnvs())

const load = async () => (await import('../.vitepress/config.ts')).default

test('site: without a word it stands at the root of its host', async () => {
  vi.stubEnv('DOCS_BASE', undefined)
  const { base, head } = await load()
  expect(base).toBe('/')
  expect(JSON.stringify(head)).toContain('"/favicon.svg"')
})

test('site: DOCS_BASE puts it below a folder, its icon, too', async () => {
  vi.stubEnv('DOCS_BASE', '/midstream/')
  const { base, head } = await load()
  expect(base).toBe('/midstream/')
  expect(JSON.stringify(head)).toContain('"/midstream/favicon.svg"')
})

test.each(['midstream', '/midstream', 'https://docs.example/', ''])('site: DOCS_BASE=%s is refused', async (base) => {
  vi.stubEnv('DOCS_BASE', base)
  await expect(load()).rejects.toThrow('DOCS_BASE')
})
