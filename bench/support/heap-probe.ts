// Loaded in front of a program: tells whoever started it how much of its heap is in use after a full garbage collection.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

process.on('message', () => {
  gc()
  process.send?.(process.memoryUsage().heapUsed / 1e6)
})
// It is not for this channel that the program goes on.
process.channel?.unref()
