import { Session } from 'node:inspector'
import { pathToFileURL } from 'node:url'

/** What some code took. Seconds say as much about the machine. */
export interface Operations {
  /** How often its blocks ran: bodies of loops, branches, functions. */
  readonly blocks: number
  /** Bytes that it allocated, sampled: what is copied inside of one call of the platform shows here alone. */
  readonly bytes: number
}

const root = pathToFileURL(`${process.cwd()}/`).href
/** Ours, and the parser of event streams, which is a part of what a read costs. */
const isCounted = (url: string): boolean => {
  const path = url.startsWith('file:') ? url : pathToFileURL(url).href
  return path.startsWith(root) && (/\/packages\/[^/]+\/src\//.test(path) || path.includes('/eventsource-parser/'))
}

export interface Counter {
  /** Counts what a function takes; its result is not waited for. */
  count(work: () => unknown): Operations
  /** Counts what a function takes until its promise settles, and all else that runs meanwhile. */
  countAsync(work: () => Promise<unknown>): Promise<Operations>
}

/**
 * Begins to count in this process. What is to be counted must be imported after that: code that was compiled before has no
 * counters in its loops.
 */
export function createCounter(): Counter {
  const session = new Session()
  session.connect()
  /** Answers come in the same tick, but for those that take a turn of the loop, which these do not. */
  const post = (method: string, parameters: object = {}): unknown => {
    let answer: unknown
    session.post(method, parameters, (error: Error | null, result?: object) => {
      if (error) throw error
      answer = result
    })
    return answer
  }
  post('Profiler.enable')
  post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const begin = (): void => {
    post('Profiler.takePreciseCoverage')
    post('HeapProfiler.startSampling', {
      samplingInterval: 8_192,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    })
  }
  const end = (): Operations => {
    const { profile } = post('HeapProfiler.stopSampling') as { profile: { samples: { size: number }[] } }
    type Script = { url: string; functions: { ranges: { count: number }[] }[] }
    const { result } = post('Profiler.takePreciseCoverage') as { result: Script[] }
    const ranges = result.filter(({ url }) => isCounted(url)).flatMap(({ functions }) => functions)
    return {
      blocks: ranges.flatMap((one) => one.ranges).reduce((sum, { count }) => sum + count, 0),
      bytes: profile.samples.reduce((sum, { size }) => sum + size, 0),
    }
  }
  return {
    count(work) {
      begin()
      work()
      return end()
    },
    async countAsync(work) {
      begin()
      await work()
      return end()
    },
  }
}

/** Twice as much of anything may take so many times the work; what is quadratic takes four times. */
const mostGrowth = 2.4
/** Tables that double, and what the sampling is off by, bytes. */
const slackBytes = 1_048_576
/** `INPUT_PART=1` takes inputs of the full size: the counters make everything slow, and a quarter tells as much. */
const part = Number(process.env['INPUT_PART'] ?? 0.25)

/**
 * Throws where twice the input takes more than about twice the work.
 * @param largest - Size of the largest input that is let in.
 * @param make - Makes an input of a size; what it gives is counted.
 */
export function checkLinear(counter: Counter, largest: number, make: (size: number) => () => unknown): void {
  const size = Math.ceil(largest * part)
  // The first time, functions are compiled and tables made.
  counter.count(make(Math.ceil(size / 64)))
  const half = counter.count(make(Math.ceil(size / 2)))
  const whole = counter.count(make(size))
  compare(half, whole)
}

/** As {@link checkLinear}, of work that gives a promise. */
export async function checkLinearAsync(
  counter: Counter,
  largest: number,
  make: (size: number) => () => Promise<unknown>,
): Promise<void> {
  const size = Math.ceil(largest * part)
  await counter.countAsync(make(Math.ceil(size / 64)))
  const half = await counter.countAsync(make(Math.ceil(size / 2)))
  const whole = await counter.countAsync(make(size))
  compare(half, whole)
}

function compare(half: Operations, whole: Operations): void {
  const isLinear =
    whole.blocks <= mostGrowth * half.blocks + 1_000 && whole.bytes <= mostGrowth * half.bytes + slackBytes
  if (!isLinear)
    throw new Error(`Twice the input takes more than twice the work: ${JSON.stringify(half)}, ${JSON.stringify(whole)}`)
}
