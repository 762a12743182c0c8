import { availableParallelism } from 'node:os'

/** The value below which a share of the samples lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export function median(samples: readonly number[]): number {
  return (quantile(samples, 0.5) + quantile(samples, 0.5 - Number.EPSILON)) / 2
}

/** Three significant digits, and never an exponent. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 3))
}

/** A median with the lowest and the highest sample. */
export function spread(samples: readonly number[]): string {
  return `${short(median(samples))} (${short(Math.min(...samples))}–${short(Math.max(...samples))})`
}

/**
 * How many times the peer's cost ours is: the median over rounds of ours / theirs in the same round, with its range.
 */
export function ratio(ours: readonly number[], theirs: readonly number[]): string {
  return spread(ours.map((value, round) => value / theirs[round]!))
}

/** Prints a title, where it was measured, and a Markdown table; the first row names the columns. */
export function report(title: string, rows: readonly (readonly string[])[], note = ''): void {
  const [head = [], ...body] = rows
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'))
  const where = `Node ${process.version}, ${process.platform} ${process.arch}, ${availableParallelism()} cores.`
  console.log(['', `### ${title}`, '', where, '', line(head), line(rule), ...body.map(line), ''].join('\n'))
  if (note) console.log(`${note}\n`)
}
