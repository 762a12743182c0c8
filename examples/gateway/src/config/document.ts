import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type Pair,
  type Scalar,
} from 'yaml'
import type { Path, Problem } from './problem.ts'
import { syntaxProblems } from './syntax.ts'

/** A place in a file, counted from 1. */
interface Place {
  readonly line: number
  readonly column: number
}

/** The file as YAML, which knows where its values stand. */
export interface ConfigDocument {
  /** When there are any, nothing else is to be believed. */
  readonly problems: readonly { readonly place: Place; readonly message: string }[]
  toValue(): unknown
  /** Texts that are values, not keys; `replace` changes what `toValue` gives. */
  texts(): readonly { readonly path: Path; readonly text: string; replace(text: string): void }[]
  /** Where a key or its value stands; of what is not there, where it would be. */
  place(path: Path, at: Problem['at']): Place
}

/** Reads YAML 1.2, and so JSON. */
export function readDocument(source: string): ConfigDocument {
  const lines = new LineCounter()
  // The warnings of the library print what stands in the file, and that may be a secret.
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  return {
    problems: syntaxProblems(document, source).map(({ offset, message }) => ({ place: placeOf(offset), message })),
    toValue: () => document.toJS() as unknown,
    texts: () => textsOf(document),
    place(path, at) {
      const node = nodeAt(document, path, at)
      return placeOf(node?.range?.[0] ?? 0)
    },
  }
}

function textsOf(document: Document): ReturnType<ConfigDocument['texts']> {
  const found: ReturnType<ConfigDocument['texts']>[number][] = []
  visit(document, {
    Scalar(key, scalar, ancestors) {
      if (key === 'key' || typeof scalar.value !== 'string') return
      const path = pathOf(key, ancestors)
      found.push({ path, text: scalar.value, replace: (text) => (scalar.value = text) })
    },
  })
  return found
}

function pathOf(last: number | 'key' | 'value' | null, ancestors: readonly unknown[]): Path {
  const path: (string | number)[] = []
  for (const [i, ancestor] of ancestors.entries()) {
    if (isSeq(ancestor)) {
      const below = ancestors[i + 1]
      const index = below === undefined ? Number(last) : ancestor.items.indexOf(below)
      path.push(index)
    } else if (isPair(ancestor)) path.push(String((ancestor.key as Scalar).value))
  }
  return path
}

function nodeAt(document: Document, path: Path, at: Problem['at']): Node | undefined {
  let found: Node | undefined
  let node: unknown = document.contents
  for (const [i, step] of path.entries()) {
    const inner = isAlias(node) ? node.resolve(document) : node
    if (isMap(inner)) {
      const pair = inner.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      // What is not there is missed where its section begins.
      if (!pair) return found
      const isLast = i === path.length - 1
      found = isLast && at === 'value' && pair.value ? (pair.value as Node) : (pair.key as Node)
      node = pair.value
    } else if (isSeq(inner)) {
      node = inner.items[Number(step)]
      if (!node) return found
      found = node as Node
    } else return found
  }
  return found
}

function isPair(value: unknown): value is Pair {
  return typeof value === 'object' && value !== null && 'key' in value && 'value' in value && !isScalar(value)
}
