import { ChatError, isChatError } from '@midstream/core'
import { expect, test } from 'vitest'
import { createWorld, type Page, type World } from './schedule-world.ts'
import { transcript, turn } from './support.ts'

/**
 * Anything may happen at any moment. `SCHEDULE_SEED=123 vitest run packages/client/test/schedules.test.ts` plays one
 * schedule again and prints its steps; `SCHEDULES` says how many are played.
 */
const onlySeed = process.env['SCHEDULE_SEED']
const schedules = Number(process.env['SCHEDULES'] ?? 10_000)
const maxSteps = 16

const crash = new ChatError('upstream_crashed', 'The runner died.', { retryable: true })
const refused = new ChatError('upstream_rejected', 'No.')

type Step = (world: World, page: Page) => string | undefined

/** Something a person does; what makes no sense now is refused, and nothing happens. */
function person(name: string, act: (page: Page, world: World) => Promise<unknown>): Step {
  return (world, page) => {
    try {
      page.watch(act(page, world))
    } catch (error) {
      if (!(error instanceof TypeError) && !isChatError(error)) throw error
      return undefined
    }
    return name
  }
}
/** Something that the model server does to a reply that is still read. */
function server(name: string, act: (world: World, reply: ReturnType<World['live']>[number]) => void): Step {
  return (world) => {
    const [first, ...rest] = world.live()
    if (!first) return undefined
    act(world, world.random.pick([first, ...rest]))
    return name
  }
}
let questions = 0
const steps: readonly (readonly [number, Step])[] = [
  [5, person('send', ({ session }) => session.send(`Question ${(questions += 1)}`))],
  [4, person('interrupt', ({ session }) => session.interrupt())],
  [4, person('continue', ({ session }) => session.continue())],
  [2, person('regenerate', ({ session }) => session.regenerate())],
  [
    1,
    person('edit', ({ session }, { random }) => {
      const said = session.getSnapshot().messages.filter(({ role }) => role === 'user')
      return session.edit(said[random.below(said.length)]?.id ?? '', `Question ${(questions += 1)}`)
    }),
  ],
  [1, person('clear', ({ session }) => session.clear())],
  [14, server('delta', (world, reply) => world.say(reply, world.random.pick(['', ' ', '\n'])))],
  [3, server('finish', ({ random }, reply) => reply.finish(random.pick(['stop', 'length'])))],
  [1, server('crash', (_world, reply) => reply.fail(crash))],
  [1, server('refuse', (_world, reply) => reply.fail(refused))],
  [1, server('end', (_world, reply) => reply.end())],
  [
    3,
    (world) => {
      const late = world.upstream.replies.filter(({ signal }) => signal.aborted)
      for (const reply of late) world.say(reply, ' late ')
      return late.length > 0 ? 'late chunk' : undefined
    },
  ],
  [
    3,
    (_world, page) => {
      if (page.connections === 0) return undefined
      page.drop()
      return 'drop'
    },
  ],
  [1, (_world, page) => ((page.isOffline = !page.isOffline), page.isOffline ? 'offline' : 'online')],
  [
    1,
    (_world, page) => {
      page.isSlow = !page.isSlow
      if (!page.isSlow) page.release()
      return page.isSlow ? 'slow' : 'fast'
    },
  ],
  [2, (_world, page) => (page.reload(), 'reload')],
  [
    5,
    ({ clock, random }) => {
      const ms = random.pick([10, 100, 300, 1_000, 6_000, 20_000, 40_000])
      clock.advance(ms)
      return `${ms} ms`
    },
  ],
]
const bag = steps.flatMap(([weight, step]) => Array.from({ length: weight }, () => step)) as [Step, ...Step[]]

const squeezed = (text: string): string => text.replaceAll(/\s/g, '')

/** No chunk lands in another run: each text is the beginning of what one reply said to this very question. */
function checkTexts({ upstream, said }: World, { session }: Page): void {
  const { messages } = session.getSnapshot()
  messages.forEach(({ role, content }, i) => {
    if (role !== 'assistant' || content === '') return
    const question = messages.slice(0, i).findLast((message) => message.role === 'user')?.content
    const isSaid = upstream.replies.some(
      (reply) =>
        reply.request.messages.at(-1)?.content === question &&
        squeezed(reply.request.prefill + (said.get(reply) ?? '')).startsWith(squeezed(content)),
    )
    if (!isSaid) throw new Error(`nobody said “${content}” to “${question}”`)
  })
}
/** What is shown is what is stored, by whoever wrote last. */
function checkStored({ stored: { text, by } }: World): void {
  if (!by) return
  const { messages } = by.session.getSnapshot()
  const { messages: stored } = JSON.parse(text ?? '{"messages":[]}') as { messages: unknown }
  expect(JSON.stringify(stored), 'stored').toBe(JSON.stringify(messages))
}
function check(world: World): void {
  for (const page of world.pages) checkTexts(world, page)
  for (const [session, runs] of world.active) {
    if (runs.size > 1) throw new Error(`${runs.size} runs are active in ${session}`)
  }
  if (world.wrong.length > 0) throw new Error(world.wrong.join('; '))
}

/** Lets everything come to its end: the network is there, and the model finishes what it was asked. */
async function settle(world: World): Promise<void> {
  const { clock, pages, upstream } = world
  for (const page of pages) {
    page.isOffline = page.isSlow = false
    page.release()
  }
  for (let rounds = 0; rounds < 300; rounds++) {
    await turn()
    check(world)
    const left = clock.timers + upstream.open + pages.reduce((sum, { pending }) => sum + pending.size, 0)
    if (left === 0) return
    for (const reply of world.live()) {
      world.say(reply, ' ')
      reply.finish()
    }
    await turn()
    if (clock.timers > 0) clock.advance(Math.max(0, clock.dueAt - clock.now()))
  }
  const pending = pages.map((page) => page.pending.size)
  throw new Error(`left: ${clock.timers} timers, ${upstream.open} replies, ${pending.join(' and ')} promises`)
}

function checkNothingLeft({ clock, upstream, pages, ended, active }: World): void {
  expect({
    timers: clock.timers,
    replies: upstream.open,
    connections: pages.map(({ connections }) => connections),
    readers: ended.filter(({ readers }) => readers > 0).length,
    runs: [...active.values()].filter(({ size }) => size > 0).length,
  }).toEqual({ timers: 0, replies: 0, connections: [0, 0], readers: 0, runs: 0 })
}

async function play(seed: number, log: string[]): Promise<void> {
  questions = 0
  const world = createWorld(seed)
  const { random, pages } = world
  for (let tries = 0; tries < maxSteps * 3 && log.length < maxSteps; tries++) {
    const page = random.pick(pages)
    const name = random.pick(bag)(world, page)
    if (name === undefined) continue
    // Some things happen in one tick, some a few microtasks apart; mostly, things come to rest in between.
    const ticks = random.pick([0, 3, 20, Infinity, Infinity, Infinity])
    log.push(`${'AB'[pages.indexOf(page)]}: ${name}, then ${ticks === Infinity ? 'rest' : `${ticks} ticks`}`)
    if (ticks === Infinity) await turn()
    else for (let n = 0; n < ticks; n++) await undefined
    check(world)
    if (ticks === Infinity) checkStored(world)
  }
  await settle(world)
  checkStored(world)
  checkNothingLeft(world)

  // And it goes on: one page asks, both show it and it is stored; one clears, and both are empty.
  const [one, other] = random.below(2) === 0 ? pages : [pages[1], pages[0]]
  one.watch(one.session.send('The last question'))
  await settle(world)
  expect(transcript(other.session.getSnapshot())).toEqual(transcript(one.session.getSnapshot()))
  expect(transcript(one.session.getSnapshot()).slice(-2)[0]).toBe('> The last question')
  checkStored(world)
  other.watch(other.session.clear())
  await settle(world)
  expect([one, other].flatMap(({ session }) => session.getSnapshot().messages)).toEqual([])
  expect(world.stored.text).toBe(undefined)
  checkNothingLeft(world)
}

test(
  `schedules: in ${schedules} of them no text is lost, repeated, or lands elsewhere, and nothing is left`,
  { timeout: 300_000 },
  async () => {
    const seeds = onlySeed === undefined ? Array.from({ length: schedules }, (_, n) => n + 1) : [Number(onlySeed)]
    for (const seed of seeds) {
      const log: string[] = []
      await play(seed, log).catch((cause: unknown) => {
        throw new Error(`SCHEDULE_SEED=${seed}: ${String(cause)}\n${log.join('\n')}`, { cause })
      })
      if (onlySeed !== undefined) console.log(log.join('\n'))
    }
  },
)
