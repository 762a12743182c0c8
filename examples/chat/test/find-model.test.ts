import { expect, test } from 'vitest'
import { findModel, ollamaUrl } from '../server/find-model.ts'

/** A `fetch` that lists these models at this address, and refuses every other. */
function listing(url: string, ...names: string[]): typeof fetch {
  const families: Readonly<Record<string, string>> = { 'bge-m3:latest': 'bert', 'paraphrase:latest': 'nomic-bert' }
  return (input) => {
    if (input !== `${url}/api/tags`) return refusing(input)
    const models = names.map((name) => ({ name, details: { family: families[name] ?? 'llama' } }))
    return Promise.resolve(Response.json({ models }))
  }
}

const refusing: typeof fetch = () =>
  Promise.reject(
    new TypeError('fetch failed', { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) }),
  )

const there = 'http://gpu.example:11434'

test('findModel: prefers qwen3:32b wherever it stands in the list', async () => {
  const fetch = listing(ollamaUrl, 'llama3.2:latest', 'qwen3:32b')
  expect(await findModel({ fetch })).toEqual({ url: ollamaUrl, model: 'qwen3:32b' })
})

test('findModel: takes the first model when qwen3:32b is not there', async () => {
  expect(await findModel({ fetch: listing(ollamaUrl, 'llama3.2:latest', 'qwen3:8b') })).toEqual({
    url: ollamaUrl,
    model: 'llama3.2:latest',
  })
})

test('findModel: an embedding model is not one to chat with', async () => {
  const embedding = ['bge-m3:latest', 'paraphrase:latest', 'qwen3-embedding:8b', 'mxbai-embed-large:latest']
  expect(await findModel({ fetch: listing(ollamaUrl, ...embedding, 'llama3.2:latest') })).toEqual({
    url: ollamaUrl,
    model: 'llama3.2:latest',
  })
  expect(await findModel({ fetch: listing(ollamaUrl, ...embedding) })).toBe('embedded')
  await expect(findModel({ fetch: listing(there, ...embedding), upstream: there })).rejects.toThrow('has no chat model')
})

test.each([
  ['no list', { models: null }],
  ['entries of any shape', { models: [null, 7, { name: 3, details: null }] }],
])('findModel: %s is no model', async (_, list) => {
  await expect(findModel({ fetch: () => Promise.resolve(Response.json(list)), upstream: there })).rejects.toThrow(there)
})

test('findModel: --model overrides, with or without its tag', async () => {
  const fetch = listing(ollamaUrl, 'qwen3:32b', 'llama3.2:latest')
  expect(await findModel({ fetch, model: 'llama3.2' })).toEqual({ url: ollamaUrl, model: 'llama3.2:latest' })
  expect(await findModel({ fetch, model: 'llama3.2:latest' })).toEqual({ url: ollamaUrl, model: 'llama3.2:latest' })
})

test('findModel: a model that the server does not have is an error that names those it has', async () => {
  const fetch = listing(ollamaUrl, 'qwen3:32b')
  await expect(findModel({ fetch, model: 'gone' })).rejects.toThrow(
    '--model gone: Ollama at http://127.0.0.1:11434 has no such chat model; it has qwen3:32b',
  )
})

test('findModel: --upstream is asked alone', async () => {
  expect(await findModel({ fetch: listing(there, 'a'), upstream: there })).toEqual({ url: there, model: 'a' })
})

test.each([
  ['refuses', refusing, 'ECONNREFUSED'],
  ['answers an error', () => Promise.resolve(new Response('', { status: 502 })), 'it says 502'],
  ['is a web site', () => Promise.resolve(new Response('<html>')), 'what answers is not an Ollama'],
  ['is another API', () => Promise.resolve(Response.json([])), 'what answers is not an Ollama'],
])('findModel: an --upstream that %s is an error', async (_, fetch: typeof globalThis.fetch, why) => {
  await expect(findModel({ fetch, upstream: there })).rejects.toThrow(
    `--upstream: no Ollama answers at ${there} (${why})`,
  )
})

test('findModel: an --upstream that never answers is an error', async () => {
  const fetch: typeof globalThis.fetch = (_, init) =>
    new Promise((_resolve, reject) =>
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error)),
    )
  await expect(findModel({ fetch, upstream: there, maxWaitMs: 1 })).rejects.toThrow('it took too long')
})

test('findModel: an --upstream without models is an error that says what to do', async () => {
  await expect(findModel({ fetch: listing(there), upstream: there })).rejects.toThrow(
    'has no chat model; try: ollama pull qwen3:32b',
  )
})

test.each([
  ['nothing answers', refusing],
  ['the Ollama there has no model', listing(ollamaUrl)],
  ['something else answers there', () => Promise.resolve(new Response('<html>'))],
])('findModel: the embedded model is used when %s', async (_, fetch: typeof globalThis.fetch) => {
  expect(await findModel({ fetch })).toBe('embedded')
  expect(await findModel({ fetch, model: 'nano' })).toBe('embedded')
  await expect(findModel({ fetch, model: 'qwen3:32b' })).rejects.toThrow('the embedded model is called nano')
})
