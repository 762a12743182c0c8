import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** Bytes on the heap that are in use. */
export function heapBytes(): number {
  gc()
  gc()
  return process.memoryUsage().heapUsed
}
