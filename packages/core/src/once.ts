/**
 * Something that is made at its first use, and kept: a table of patterns, say, that need not be made by a program that loads the
 * module and does not use it.
 */
export function once<T extends object>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
