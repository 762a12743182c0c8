import { fork } from 'node:child_process'
import { once } from 'node:events'

/** A process of its own that plays a part: what it costs is its own, too. */
export interface Child {
  /** Calls one of the part's functions. */
  call<T>(name: string, ...args: unknown[]): Promise<T>
  close(): Promise<void>
}

type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string }

/** Starts bench/support/NAME.ts, which calls {@link play}. */
export async function startChild(name: string, ...args: string[]): Promise<Child> {
  const child = fork(new URL(`${name}.ts`, import.meta.url), args, { execArgv: ['--expose-gc'] })
  const waiting = new Map<number, (answer: Answer) => void>()
  let calls = 0
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  child.on('exit', (code) => {
    for (const [id, settle] of waiting) settle({ id, error: `${name} ended with ${code}` })
  })
  const call = <T>(name: string, ...args: unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = (calls += 1)
      waiting.set(id, ({ value, error }) => {
        if (error === undefined) resolve(value as T)
        else reject(new Error(error))
      })
      child.send({ id, name, args })
    })
  await call('ready')
  return {
    call,
    async close() {
      const exit = once(child, 'exit')
      child.disconnect()
      await exit
    },
  }
}

type Part = Readonly<Record<string, (...args: never[]) => unknown>>

/** Answers the calls of the process that started this one, and ends with it. */
export function play(part: Part): void {
  process.on('message', ({ id, name, args }: { id: number; name: string; args: never[] }) => {
    void (async () => (name === 'ready' ? true : part[name]!(...args)))().then(
      (value) => process.send!({ id, value } satisfies Answer),
      (error: unknown) => process.send!({ id, error: String(error) } satisfies Answer),
    )
  })
  process.on('disconnect', () => process.exit())
}
