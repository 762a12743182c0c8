import { ChatError, isChatError, type FinishReason } from '@midstream/core'
import type { Run } from '@midstream/core/gateway'
import type { ScriptedReply } from '@midstream/core/testing'
import { rounds } from '@midstream/test-support'
import { expect, test } from 'vitest'
import type { ChatSession } from '../src/chat-session.ts'
import type { ChatMessage } from '../src/message.ts'
import type { Page } from './schedule-page.ts'
import { createWorld, type World } from './schedule-world.ts'
import { transcript, turn } from './support.ts'

/**
 * Anything may happen at any moment. `SCHEDULE_SEED=123 vitest run packages/client/test/schedules` plays one
 * schedule again and prints its steps; `SCHEDULES` says how many are played, by all shards together.
 */
const onlySeed = process.env['SCHEDULE_SEED']
const schedules = rounds('SCHEDULES', 10_000)
const maxSteps = 16
/** Files that share the schedules: `schedules-1.test.ts` and so on. */
const shards = 4

const crash = new ChatError('upstream_crashed', 'The runner died.', { retryable: true })
const refused = new ChatError('upstream_rejected', 'No.')
const ends = ['stop', 'length'] as const satisfies [FinishReason, ...FinishReason[]]

/** @returns Whether it made sense. */
type Step = (world: World, page: Page) => boolean

/** Something a person does; what makes no sense now is refused, and nothing happens. */
function person(act: (session: ChatSession, world: World) => Promise<unknown>): Step {
  return (world, page) => {
    try {
      page.watch(act(page.session, world))
      return true
    } catch (error) {
      if (error instanceof TypeError || isChatError(error)) return false
      throw error
    }
  }
}
/** Something that happens to one of these, should there be one. */
function oneOf<T>(of: (world: World) => readonly T[], act: (world: World, one: T) => void): Step {
  return (world) => {
    const [first, ...rest] = of(world)
    if (first === undefined) return false
    act(world, world.random.pick([first, ...rest]))
    return true
  }
}
const live = (world: World): readonly ScriptedReply[] => world.live()
const question = ({ random }: World): string => `Question ${random.below(1_000_000)}`

/** What may happen, and how often. */
const steps: readonly (readonly [string, number, Step])[] = [
  ['send', 4, person((session, world) => session.send(question(world)))],
  ['interrupt', 5, person((session) => session.interrupt())],
  ['continue', 9, person((session) => session.continue())],
  ['regenerate', 1, person((session) => session.regenerate())],
  [
    'edit',
    1,
    person((session, world) => {
      const said = session.getSnapshot().messages.filter(({ role }) => role === 'user')
      return session.edit(said[world.random.below(said.length)]?.id ?? '', question(world))
    }),
  ],
  ['clear', 1, person((session) => session.clear())],
  ['interrupt elsewhere', 1, (world) => world.interruptElsewhere()],
  ['delta', 22, oneOf(live, (world, reply) => world.say(reply, world.random.pick(['', ' ', '\n'])))],
  [
    'late delta',
    3,
    oneOf(
      (world) => world.late(),
      (world, reply) => world.say(reply, ' '),
    ),
  ],
  ['thinking', 4, oneOf(live, (world, reply) => world.add(reply, 'thinking'))],
  ['data', 2, oneOf(live, (world, reply) => world.add(reply, 'data'))],
  ['tool call', 1, oneOf(live, (world, reply) => world.add(reply, 'call'))],
  ['finish', 2, oneOf(live, (world, reply) => world.stop(reply, ({ finish }) => finish(world.random.pick(ends))))],
  ['crash', 2, oneOf(live, (world, reply) => world.stop(reply, ({ fail }) => fail(crash)))],
  ['refuse', 1, oneOf(live, (world, reply) => world.stop(reply, ({ fail }) => fail(refused)))],
  ['end', 1, oneOf(live, (world, reply) => world.stop(reply, ({ end }) => end()))],
  ['drop', 4, (_world, page) => page.drop()],
  ['offline or online', 1, (_world, page) => ((page.isOffline = !page.isOffline), true)],
  ['slow or fast', 1, (_world, page) => ((page.isSlow = !page.isSlow), page.isSlow || page.release(), true)],
  ['reload', 2, (_world, page) => (page.reload(), true)],
  ['soon', 3, ({ clock, random }) => (clock.advance(random.pick([10, 100, 300, 1_000])), true)],
  ['later', 2, ({ clock, random }) => (clock.advance(random.pick([6_000, 20_000, 40_000])), true)],
]
const names = steps.flatMap(([name, weight]) => Array.from({ length: weight }, () => name)) as [string, ...string[]]
const acts = new Map(steps.map(([name, , act]) => [name, act]))

/** Of a question that is answered twice at once, both answers stay, and one of them may be gone on with. */
const questionOf = (messages: readonly { readonly role: string; readonly content: string }[]): string | undefined =>
  messages.findLast(({ role }) => role === 'user')?.content

const squeezed = (text: string): string => text.replaceAll(/\s/g, '')

/**
 * No chunk lands in another run: each text is the beginning of what one reply said to this very question, and a reply
 * that is done is all of it. A continuation that says nothing leaves the text as it was.
 */
function checkTexts({ upstream, said }: World, { session }: Page): void {
  const { messages } = session.getSnapshot()
  messages.forEach(({ role, content, state }, i) => {
    if (role !== 'assistant' || content === '') return
    const question = questionOf(messages.slice(0, i))
    const replies = upstream.replies.filter(({ request }) => questionOf(request.messages) === question)
    const texts = replies.map((reply) => squeezed(reply.request.prefill + (said.get(reply) ?? '')))
    const isWhole = state === 'done' && replies.every((reply) => said.has(reply))
    const shown = squeezed(content)
    if (texts.some((text) => (isWhole ? text === shown : text.startsWith(shown)))) return
    throw new Error(`“${content}” (${state}) is not what was said to “${question}”: ${texts.join(', ')}`)
  })
}
/** Whatever else belongs to a reply is of one that was asked for the same question, in its order, and there once. */
function checkParts({ upstream }: World, { session }: Page): void {
  const { messages } = session.getSnapshot()
  messages.forEach(({ id, thinking = '', data = [], toolCalls = [] }, i) => {
    const question = questionOf(messages.slice(0, i))
    const lists = [
      thinking.split(';').slice(0, -1),
      data.map((item) => String(item['id'])),
      toolCalls.map((call) => call.id),
    ]
    for (const parts of lists) {
      const numbers = parts.map((part) => Number(part.split('.')[1]))
      const isInOrder = numbers.every((n, at) => at === 0 || n > numbers[at - 1]!)
      const asked = parts.map((part) => questionOf(upstream.replies[Number.parseInt(part, 10)]!.request.messages))
      if (isInOrder && asked.every((one) => one === question)) continue
      throw new Error(`${parts.join(', ')} of ${id} is not what was said to “${question}”`)
    }
  })
}
/** What is shown is stored, by whoever wrote last; only text that grows may be stored a little later. */
function checkStored({ stored: { text, by } }: World, isEnd = false): void {
  if (!by) return
  const { messages: stored } = JSON.parse(text ?? '{"messages":[]}') as { messages: readonly ChatMessage[] }
  const { messages, status } = by.session.getSnapshot()
  const growing = new Set([...stored, ...messages].filter(({ state }) => state === 'streaming').map(({ id }) => id))
  // While an interrupt is not confirmed, another page may know, and have stored, more of the reply than is shown here.
  if (!isEnd && status === 'interrupting') growing.add(messages.at(-1)?.id ?? '')
  const settled = ({ id, content, state }: ChatMessage): string => (growing.has(id) ? id : `${id} ${state}: ${content}`)
  const shown = messages.map(settled)
  const kept = stored.map(settled)
  // A page that reads a run, or ends one, may know, and store, what it shows later.
  if (isEnd || (growing.size === 0 && status !== 'interrupting')) expect(kept, 'stored').toEqual(shown)
  else expect(kept, 'stored').toEqual(expect.arrayContaining(shown.slice(-2)))
}
function check(world: World): void {
  for (const page of world.pages) {
    checkTexts(world, page)
    checkParts(world, page)
  }
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
    const left = clock.timers + upstream.openReplies + pages.reduce((sum, { pending }) => sum + pending.size, 0)
    if (left === 0) return
    for (const reply of world.live()) {
      world.say(reply, ' ')
      world.stop(reply, ({ finish }) => finish())
    }
    await turn()
    if (clock.timers > 0) clock.advance(Math.max(0, clock.dueAt - clock.now()))
  }
  const pending = pages.map((page) => page.pending.size)
  throw new Error(`left: ${clock.timers} timers, ${upstream.openReplies} replies, ${pending.join(' and ')} promises`)
}

/** Every page shows the same in the end, in the same order. */
function checkEqual({ pages }: World): void {
  const [first, ...others] = pages.map(({ session }) => transcript(session.getSnapshot()))
  for (const other of others) expect(other, 'shown').toEqual(first)
}

function checkNothingLeft({ clock, upstream, pages, ended, active }: World): void {
  expect({
    timers: clock.timers,
    replies: upstream.openReplies,
    connections: pages.map(({ connections }) => connections),
    readers: ended.filter(({ readers }) => readers > 0).length,
    runs: [...active.values()].filter(({ size }) => size > 0).length,
  }).toEqual({ timers: 0, replies: 0, connections: pages.map(() => 0), readers: 0, runs: 0 })
}

async function play(seed: number, log: string[]): Promise<World> {
  const world = createWorld(seed)
  const { random, pages } = world
  for (let tries = 0; tries < maxSteps * 3 && log.length < maxSteps; tries++) {
    const page = random.pick(pages)
    const name = random.pick(names)
    if (!acts.get(name)!(world, page)) continue
    // Some things happen in one tick, some a few microtasks apart; mostly, things come to rest in between.
    const ticks = random.pick([0, 3, 20, Infinity, Infinity, Infinity])
    log.push(`${'ABCDE'[pages.indexOf(page)]}: ${name}, then ${ticks === Infinity ? 'rest' : `${ticks} ticks`}`)
    if (ticks === Infinity) await turn()
    else for (let n = 0; n < ticks; n++) await Promise.resolve()
    check(world)
    if (ticks === Infinity) checkStored(world)
  }
  await settle(world)
  checkStored(world, true)
  checkNothingLeft(world)
  checkEqual(world)

  // And it goes on: one page asks, both show it and it is stored; one clears, and both are empty.
  const one = random.pick(pages)
  const other = random.pick(pages)
  one.watch(one.session.send('The last question'))
  await settle(world)
  checkEqual(world)
  expect(transcript(one.session.getSnapshot()).slice(-2)[0]).toBe('> The last question')
  checkStored(world, true)
  other.watch(other.session.clear())
  await settle(world)
  expect(pages.flatMap(({ session }) => session.getSnapshot().messages)).toEqual([])
  expect(world.stored.text).toBe(undefined)
  checkNothingLeft(world)
  return world
}

/** What a run came to. */
function kindOf({ state, log, continues }: Run): string {
  const terminal = state.phase === 'ended' ? state.terminal : undefined
  const how = terminal?.reason === 'interrupted' ? terminal.by : terminal?.reason
  return `${continues ? 'continuation' : 'reply'} ${log.length > 0 ? 'with' : 'without'} text: ${how}`
}
/** Schedules in which nothing happens prove nothing: each of these has to happen. */
const kinds = [
  ...acts.keys(),
  ...['stop', 'length', 'error', 'person', 'superseded', 'deleted'].flatMap((how) =>
    ['reply', 'continuation'].map((kind) => `${kind} with text: ${how}`),
  ),
  'reply with text: orphan',
]

/** Plays the schedules of one shard, each with a seed of its own, as one test: vitest gives each file to a worker. */
export function playShard(shard: number): void {
  const all = onlySeed === undefined ? Array.from({ length: schedules }, (_, n) => n + 1) : [Number(onlySeed)]
  const seeds = all.filter((seed) => seed % shards === shard - 1)
  test.runIf(seeds.length > 0)(
    `schedules: in ${seeds.length} of them no text is lost, repeated, or lands elsewhere, and nothing is left`,
    { timeout: 300_000 },
    async () => {
      const counts = new Map<string, number>()
      const count = (name: string): unknown => counts.set(name, (counts.get(name) ?? 0) + 1)
      const failures: string[] = []
      for (const seed of seeds) {
        const log: string[] = []
        try {
          const { ended } = await play(seed, log)
          for (const line of log) count(line.replace(/^.: (.*), then .*$/, '$1'))
          for (const run of ended) count(kindOf(run))
        } catch (error) {
          failures.push(`SCHEDULE_SEED=${seed}: ${String(error)}\n${log.join('\n')}`)
          if (failures.length === 3) break
        }
        if (onlySeed !== undefined) console.log(log.join('\n'))
      }
      expect(failures.join('\n\n')).toBe('')
      if (seeds.length >= 2_500) expect(kinds.filter((kind) => !counts.has(kind))).toEqual([])
    },
  )
}
