import * as core from '@midstream/core'
import { gatewayDefaults, limitDefaults } from '@midstream/core/gateway'
import { breakerDefaults } from '@midstream/core/upstream'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { anchorOf, optionPage, sections } from '../build/option-page.ts'
import { optionGroups, type Option, type OptionGroup } from '../build/options.ts'
import { readProject } from '../build/project.ts'
import { reasons } from '../build/reasons.ts'
import { observed } from './support/observed-defaults.ts'

/** The frozen tables that the code itself uses, by the object of options that they are the defaults of. */
const tables: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  GatewayOptions: gatewayDefaults,
  LimitOptions: limitDefaults,
  CoalesceOptions: core.coalesceDefaults,
  HeartbeatOptions: core.heartbeatDefaults,
  FuseOptions: { ...core.fuseDefaults },
  RecoveryOptions: { ...core.recoveryDefaults },
  BreakerOptions: { ...breakerDefaults },
  SessionOptions: core.sessionDefaults,
  KeepOptions: core.keepDefaults,
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

/** Objects of options as they are declared, found without typedoc: their names and those of their options. */
function declared(): (readonly [group: string, options: readonly string[]])[] {
  return sources.flatMap((source) =>
    [...source.matchAll(/^export (?:interface|type) (\w+Options)\b[^\n]*\n([\s\S]*?)^(?=\}|export|\/\*\*|\w)/gm)].map(
      ([, name = '', body = '']) =>
        [name, [...body.matchAll(/^ {2,6}readonly (\w+)\??:/gm)].map(([, option = '']) => option)] as const,
    ),
  )
}

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

test('options: every option of every exported object of options is on the page', () => {
  const exported = declared().filter(([name]) => groups.has(name))
  const names = exported.map(([name]) => name)
  expect(names).toEqual(
    expect.arrayContaining(['GatewayOptions', 'OllamaOptions', 'OpenAiCompatibleOptions', 'AnthropicOptions']),
  )
  expect(names).toEqual(expect.arrayContaining(['RouteOptions', 'ChatClientOptions', 'UseChatStreamOptions']))
  const missing = exported.flatMap(([group, options]) => {
    if (options.length === 0) return [`${group} without options`]
    return options
      .filter((option) => !page.includes(`<a id="${anchorOf(group, option)}"></a>\`${option}\``))
      .map((option) => `${group}.${option}`)
  })
  expect(missing).toEqual([])
})

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

test('options: every number has its reason, and its unit where it is of something; no reason is of nothing', () => {
  const numbers = all().filter(([, option]) => typeof valueOf(option) === 'number')
  expect(numbers.length).toBeGreaterThan(25)
  const named = numbers.map(([group, option]) => [`${group.name}.${option.name}`, option] as const)
  expect(named.filter(([name]) => !reasons[name]).map(([name]) => name)).toEqual([])
  const measured = named.filter(([name]) => /(Ms|Bytes|Chars|Tokens)$/.test(name))
  expect(measured.filter(([, { unit }]) => !unit).map(([name]) => name)).toEqual([])
  const known = new Set(all().map(([group, option]) => `${group.name}.${option.name}`))
  expect(Object.keys(reasons).filter((name) => !known.has(name))).toEqual([])
})

test('options: every row says what the option is', () => {
  expect(
    all()
      .filter(([, option]) => option.text === '')
      .map(([group, option]) => `${group.name}.${option.name}`),
  ).toEqual([])
  expect(new Set(sections.flatMap(([, , names]) => names)).size).toBe(groups.size)
})
