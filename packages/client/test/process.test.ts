import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

/** What keeps a process alive: a run that is read, and nothing else. */

const src = new URL('../src/', import.meta.url)

/** Runs a program that has made a session with these extensions. @returns How it ended. */
async function run(
  extensions: string,
  program: string,
): Promise<{ readonly code: number | null; readonly out: string }> {
  const whole = `
    import { createChatClient } from '${new URL('client.ts', src).href}'
    import { persist } from '${new URL('persist.ts', src).href}'
    import { tabs } from '${new URL('tabs.ts', src).href}'
    const client = createChatClient({ url: 'http://127.0.0.1:1/api/chat', extensions: [${extensions}] })
    const session = client.session()
    ${program}`
  const child = spawn(
    process.execPath,
    ['--conditions=@midstream/source', '--no-warnings', '--input-type=module', '--eval', whole],
    { cwd: fileURLToPath(src), stdio: ['ignore', 'pipe', 'inherit'] },
  )
  // One that does not end by itself is a test that fails, and no more.
  onTestFinished(() => void child.kill('SIGKILL'))
  const out = text(child.stdout)
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  return { code, out: await out }
}

const items = '{ getItem: () => null, setItem() {}, removeItem() {} }'
test.for([
  ['tabs', 'tabs()', 'console.log(session.getSnapshot().status)'],
  ['tabs and persist', `persist(${items}), tabs()`, 'console.log(session.getSnapshot().status)'],
  ['tabs, while somebody observes', 'tabs()', "session.subscribe(() => {}); console.log('idle')"],
  ['tabs of a named conversation', 'tabs()', "client.session('other'); console.log('idle')"],
  ['tabs, after a clear', 'tabs()', 'await session.clear(); console.log(session.getSnapshot().status)'],
] as const)('process: one that uses %s ends by itself', async ([, extensions, program]) => {
  expect(await run(extensions, program)).toEqual({ code: 0, out: 'idle\n' })
})
