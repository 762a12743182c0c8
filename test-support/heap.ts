import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as (options?: { type: 'minor' }) => void

/** Bytes on the heap that are in use. */
export function heapBytes(): number {
  gc()
  gc()
  return process.memoryUsage().heapUsed
}

/** Twice, as what has survived two of them is old. */
export function collectYoung(): void {
  gc({ type: 'minor' })
  gc({ type: 'minor' })
}

/** Bytes that only a full garbage collection looks at. */
export function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')!.space_used_size
}
