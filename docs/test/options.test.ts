import * as core from '@midstream/core'
import {
  gatewayDefaults,
  keepDefaults,
  limitDefaults,
  recoveryDefaults,
  sessionDefaults,
} from '@midstream/core/gateway'
import { breakerDefaults } from '@midstream/core/upstream'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { anchorOf, optionPage, sections } from '../build/option-page.ts'
import { byPosition, optionGroups, type Option, type OptionGroup } from '../build/options.ts'
import { readProject } from '../build/project.ts'
import { reasonOf, reasons } from '../build/reasons.ts'
import { declaredOptions } from './support/declared-options.ts'
import { observed } from './support/observed-defaults.ts'

/** The frozen tables that the code itself uses, by the object of options that they are the defaults of. */
const tables: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  GatewayOptions: gatewayDefaults,
  LimitOptions: limitDefaults,
  CoalesceOptions: core.coalesceDefaults,
  HeartbeatOptions: core.heartbeatDefaults,
  FuseOptions: { ...core.fuseDefaults },
  RecoveryOptions: { ...recoveryDefaults },
  BreakerOptions: { ...breakerDefaults },
  SessionOptions: sessionDefaults,
  KeepOptions: keepDefaults,
}

const root = join(import.meta.dirname, '../..')
const sources = globSync('packages/*/src/**/*.{ts,tsx}', { cwd: root }).map((file) =>
  readFileSync(join(root, file), 'utf8'),
)
let groups: ReadonlyMap<string, OptionGroup>
let page: string

beforeAll(async () => {
  groups = optionGroups((await readProject()).project)
  page = optionPage(groups)
}, 60_000)

/** What is passed and has optional parts, and is no option: what travels, and what others implement or are called with. */
const data = [
  'RunState',
  'FuseInput',
  'BreakerInput',
  'FinishedEvent',
  'InterruptedEvent',
  'Usage',
  'ErrorBody',
  'ErrorContext',
  'Progress',
  'ToolCall',
  'OpaqueData',
  'Upstream',
  'UpstreamEvent',
  'UpstreamRequest',
  'TransportRequest',
  'GatewayRequest',
  'IterableUpstream',
  'ErrorListener', // the app's own
  'NodeListener', // the host passes `next`
]

/** A default that is a value, and not words. */
function valueOf({ defaultValue = '' }: Option): unknown {
  if (/^[\d.]+$/.test(defaultValue)) return Number(defaultValue)
  if (defaultValue === 'Infinity') return Infinity
  if (/^(true|false)$/.test(defaultValue)) return defaultValue === 'true'
  if (/^'[^']*'$/.test(defaultValue)) return defaultValue.slice(1, -1)
  return /^\[.*\]$/.test(defaultValue) ? JSON.parse(defaultValue.replaceAll("'", '"')) : undefined
}
const all = (): (readonly [OptionGroup, Option])[] =>
  [...groups.values()].flatMap((group) => group.options.map((option) => [group, option] as const))

// The compiler reads all of the sources.
test('options: whatever can be left out when an exported function is called is on the page', () => {
  const declared = declaredOptions()
  expect(declared.length).toBeGreaterThan(120)
  const missing = declared.filter(
    ({ group, name }) => !page.includes(`<a id="${anchorOf(group, name)}"></a>\`${name}\``),
  )
  const owners = missing.map(({ group, of }) => (group === '' || group === byPosition ? of : group))
  expect([...new Set(owners)].toSorted()).toEqual(data.toSorted())
}, 60_000)

test('options: every object of options that is marked @public can be imported', () => {
  const isPublic = /\/\*\*(?:(?!\*\/)[\s\S])*@public \*\/\nexport (?:interface|type) (\w+Options)\b/g
  const names = sources.flatMap((source) => [...source.matchAll(isPublic)].map(([, name = '']) => name))
  expect(names.length).toBeGreaterThan(15)
  expect(names.filter((name) => !groups.has(name))).toEqual([])
})

test('options: what the page says is the default is what the code’s own tables say', () => {
  const said = Object.entries(tables).map(([name, table]) => {
    const options = new Map(groups.get(name)?.options.map((option) => [option.name, valueOf(option)]))
    return [name, Object.fromEntries(Object.keys(table).map((option) => [option, options.get(option)]))]
  })
  expect(Object.fromEntries(said)).toEqual(tables)
})

test('options: a default that stands in no table is looked at by what happens', () => {
  const names = all()
    .filter(([group, option]) => valueOf(option) !== undefined && tables[group.name]?.[option.name] === undefined)
    .map(([group, option]) => `${group.name}.${option.name}`)
  expect(names.toSorted()).toEqual(Object.keys(observed).toSorted())
})

test.each(Object.entries(observed))('options: the default of %s is what happens', async (name, observe) => {
  const found = all().find(([group, option]) => `${group.name}.${option.name}` === name)
  expect(await observe()).toEqual(found && valueOf(found[1]))
})

test('options: every default has its reason, and a number its unit where it is of something; no reason is of nothing', () => {
  const named = all().map(([group, option]) => [`${group.name}.${option.name}`, option] as const)
  const unexplained = all().filter(
    ([group, option]) => option.defaultValue !== undefined && !reasonOf(group.name, option.name),
  )
  expect(unexplained.map(([group, option]) => `${group.name}.${option.name}`)).toEqual([])
  const measured = named.filter(
    ([name, option]) => typeof valueOf(option) === 'number' && /(Ms|Bytes|Chars|Tokens)$/.test(name),
  )
  expect(measured.length).toBeGreaterThan(15)
  expect(measured.filter(([, { unit }]) => !unit).map(([name]) => name)).toEqual([])
  const known = new Set(all().flatMap(([group, { name }]) => [`${group.name}.${name}`, `*.${name}`]))
  expect(Object.keys(reasons).filter((name) => !known.has(name))).toEqual([])
  for (const reason of new Set(Object.values(reasons))) expect(page).toContain(reason)
})

test('options: every row says what the option is', () => {
  expect(
    all()
      .filter(([, option]) => option.text === '')
      .map(([group, option]) => `${group.name}.${option.name}`),
  ).toEqual([])
  expect(new Set(sections.flatMap(([, , names]) => names)).size).toBe(groups.size)
})
