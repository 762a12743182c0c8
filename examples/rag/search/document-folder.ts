import type { Clock } from '@midstream/core'
import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { listFiles } from './list-files.ts'
import { createPassageIndex } from './passage-index.ts'
import type { PassageSource } from './passage.ts'
import { readText, type Skipped } from './read-text.ts'
import { splitDocument } from './split-document.ts'

export interface FolderOptions {
  readonly clock: Clock
  /** A search looks whether files have changed when the last look is older than this, ms. @defaultValue 2000 */
  readonly checkMs?: number | undefined
  /** Most documents; more are skipped. @defaultValue 2000 */
  readonly maxFiles?: number | undefined
  /** Largest document, bytes; larger ones are skipped. @defaultValue 1048576 */
  readonly maxFileBytes?: number | undefined
  /** Most passages; documents that would bring more are skipped until they change. @defaultValue 10000 */
  readonly maxPassages?: number | undefined
  /** Called after the first look, and when a later one has found a change. */
  readonly onChange?: ((report: FolderReport) => void) | undefined
}

/** What is in the index, and what is not. */
export interface FolderReport {
  readonly documents: number
  readonly passages: number
  readonly skipped: readonly Skipped[]
}

/** A folder of documents that can be searched. */
export interface DocumentFolder extends PassageSource {
  readonly report: FolderReport
}

/**
 * Reads a folder, and reads what has changed in it before a search. There is no watcher: on network drives and in containers
 * watching is unreliable or impossible, and a look at the times of 2 000 files takes less than a model takes to answer.
 * @see https://nodejs.org/api/fs.html#availability
 * @throws {Error} When the folder is not there or cannot be listed.
 */
export async function openDocumentFolder(path: string, options: FolderOptions): Promise<DocumentFolder> {
  const { clock, checkMs = 2_000, maxFiles = 2_000, maxFileBytes = 1_048_576, maxPassages = 10_000, onChange } = options
  // The folder itself may be a link; nothing in it may.
  const root = await realpath(path)
  if (!(await stat(root)).isDirectory()) throw new Error(`${path} is not a folder`)
  const index = createPassageIndex()
  /** Files as they were read last, and why those without passages have none. */
  const known = new Map<string, { readonly stamp: string; readonly why?: string | undefined }>()
  let report: FolderReport = { documents: 0, passages: 0, skipped: [] }
  let lookedAt = -Infinity
  let looking: Promise<void> | undefined

  const read = async (file: string, stamp: string): Promise<void> => {
    const result = await readText(join(root, file), maxFileBytes)
    index.put(file, [])
    const passages = 'text' in result ? splitDocument(file, result.text) : []
    const fits = index.size + passages.length <= maxPassages
    if (fits) index.put(file, passages)
    const why = 'why' in result ? result.why : fits ? undefined : `more than ${maxPassages} passages`
    known.set(file, { stamp, why })
  }
  const look = async (): Promise<void> => {
    const { files, skipped } = await listFiles(root, maxFiles)
    const changed = files.filter(({ file, stamp }) => known.get(file)?.stamp !== stamp)
    const here = new Set(files.map(({ file }) => file))
    for (const file of known.keys()) {
      if (here.has(file)) continue
      index.put(file, [])
      known.delete(file)
    }
    for (const { file, stamp } of changed) await read(file, stamp)
    const unread = [...known].flatMap(([file, { why }]) => (why === undefined ? [] : [{ path: file, why }]))
    const next = { documents: known.size - unread.length, passages: index.size, skipped: [...skipped, ...unread] }
    const isFirst = lookedAt === -Infinity
    lookedAt = clock.now()
    if (!isFirst && changed.length === 0 && JSON.stringify(next) === JSON.stringify(report)) return
    report = next
    onChange?.(report)
  }
  /** One look at a time, however many ask. */
  const fresh = async (): Promise<void> => {
    if (clock.now() - lookedAt < checkMs) return
    looking ??= look().finally(() => (looking = undefined))
    await looking
  }
  await fresh()
  return {
    get report() {
      return report
    },
    async search(question, limit) {
      await fresh()
      return index.search(question, limit)
    },
  }
}
