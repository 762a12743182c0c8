import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Skipped } from './read-text.ts'

/** A document in the folder. */
export interface Listed {
  /** Path in the folder, with `/`. */
  readonly file: string
  /** Changes whenever the file does, as far as the file system tells. */
  readonly stamp: string
}

/** Lists the documents of a folder and of its folders, in the order of their names; links are not followed. */
export async function listFiles(
  root: string,
  maxFiles: number,
): Promise<{ readonly files: readonly Listed[]; readonly skipped: readonly Skipped[] }> {
  const files: Listed[] = []
  const skipped: Skipped[] = []

  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
      // The folder itself must be there; one in it may have just gone.
      if (folder === '') throw error
      skipped.push({ path: folder, why: 'cannot be listed' })
      return []
    })
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.name.startsWith('.')) continue
      if (entry.isDirectory()) await walk(path)
      else if (entry.isSymbolicLink()) skipped.push({ path, why: 'a symbolic link' })
      else if (!entry.isFile()) skipped.push({ path, why: 'not a file' })
      else if (!/\.(?:md|txt)$/i.test(entry.name)) skipped.push({ path, why: 'neither .md nor .txt' })
      else if (files.length >= maxFiles) skipped.push({ path, why: `more than ${maxFiles} documents` })
      else {
        const stats = await lstat(join(root, path)).catch(() => undefined)
        if (stats) files.push({ file: path, stamp: [stats.mtimeMs, stats.ctimeMs, stats.size, stats.ino].join(' ') })
      }
    }
  }
  await walk('')
  return { files, skipped }
}
