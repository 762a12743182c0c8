import type { Reader, Run } from '@midstream/core/gateway'

/** Follows the readers of all runs that go on. */
export interface ReaderWatch {
  /** The same reader, watched. */
  watch(reader: Reader, runId: string): Reader
  /** To be called once for each run, when it has ended: how many readers left before that, and not to interrupt it. */
  drops(run: Run): number
}

interface Readers {
  present: number
  left: number
}

// No text of a chat can hold this: JSON writes its quotes with a backslash.
const terminal = 'data: {"done":true'

export function createReaderWatch(): ReaderWatch {
  const runs = new Map<string, Readers>()
  return {
    watch(reader, runId) {
      const readers = runs.get(runId) ?? { present: 0, left: 0 }
      runs.set(runId, readers)
      readers.present += 1
      /** Whether it has read something, and not the end: if it leaves, then a run that goes on, whose end will be told. */
      let isReading = false
      let isGone = false
      const go = (): void => {
        if (isGone) return
        isGone = true
        readers.present -= 1
        if (isReading) readers.left += 1
        else if (readers.present === 0 && readers.left === 0) runs.delete(runId)
      }
      return {
        ...reader,
        start(sink) {
          reader.start({
            write(frames) {
              isReading = !frames.includes(terminal)
              return sink.write(frames)
            },
            end() {
              go()
              sink.end()
            },
            fail(error) {
              go()
              sink.fail(error)
            },
          })
        },
        cancel() {
          go()
          reader.cancel()
        },
      }
    },
    drops({ runId, state }) {
      const left = runs.get(runId)?.left ?? 0
      runs.delete(runId)
      const by = state.phase === 'ended' && state.terminal.reason === 'interrupted' ? state.terminal.by : undefined
      // A client gives up its reader, and then says why.
      const isWanted = by === 'person' || by === 'superseded' || by === 'deleted'
      return isWanted ? Math.max(0, left - 1) : left
    },
  }
}
