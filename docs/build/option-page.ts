import { byPosition, type Option, type OptionGroup } from './options.ts'
import { reasonOf } from './reasons.ts'

/** What takes options, in the order of the page: a heading, and the objects that belong to it. */
export const sections: readonly (readonly [heading: string, intro: string, groups: readonly string[]])[] = [
  [
    'createGateway',
    'From `@midstream/core/gateway`. Invalid values, and values that contradict each other, throw at once.',
    [
      'GatewayOptions',
      'CoalesceOptions',
      'HeartbeatOptions',
      'FuseOptions',
      'RecoveryOptions',
      'BreakerOptions',
      'SessionOptions',
      'KeepOptions',
      'LimitOptions',
      'CloseOptions',
    ],
  ],
  ['ollama', 'From `@midstream/core/upstream`.', ['OllamaOptions']],
  [
    'openaiCompatible',
    'From `@midstream/core/upstream`. `dialect` is a name, or an object with the facts of a server that is not listed.',
    ['OpenAiCompatibleOptions', 'Dialect', 'NativeContinuation', 'ThinkSwitch', 'HistoryNeeds'],
  ],
  ['anthropic', 'From `@midstream/core/upstream`.', ['AnthropicOptions']],
  ['route', 'From `@midstream/core/upstream`.', ['RouteOptions']],
  ['fetchTransport', 'From `@midstream/core/upstream`.', ['FetchTransportOptions']],
  ['nodeTransport', 'From `@midstream/core/node`, whose `toNodeListener` takes no options.', ['NodeTransportOptions']],
  [
    'createChatClient',
    'From `@midstream/client`.',
    ['ChatClientOptions', 'RequestOptions', 'ReconnectOptions', 'PersistOptions'],
  ],
  ['streamChat', 'From `@midstream/client`.', ['StreamChatOptions']],
  ['useChatStream', 'From `@midstream/react`: a `client` of your own, or a `url`.', ['UseChatStreamOptions']],
  [
    'Parts for servers of your own',
    'From `@midstream/core`. `coalesce()`, `heartbeat()` and `fuse()` take the objects of `createGateway`, and a `clock`.',
    ['StageOptions', 'LineDecoderOptions', 'SseDecoderOptions', 'MessageLimits', 'ChatErrorOptions', 'HistoryOptions'],
  ],
  [
    'The fault kit',
    'From `@midstream/core/testing`.',
    ['ScriptedUpstreamOptions', 'Fault', 'FetchFault', 'UpstreamFault', 'RandomFaultOptions'],
  ],
  ['By position', 'What can be left out, of functions that take no object.', [byPosition]],
]

/** The tables of the options page. @throws {Error} When an object of options has no place on the page. */
export function optionPage(groups: ReadonlyMap<string, OptionGroup>): string {
  const placed = new Set(sections.flatMap(([, , names]) => names))
  for (const name of groups.keys()) if (!placed.has(name)) throw new Error(`${name} has no place on the options page`)
  return sections
    .map(([heading, intro, names]) => {
      const tables = names.map((name, index) => {
        const group = groups.get(name)
        if (!group) throw new Error(`${name} is on the options page, and nothing exports it`)
        return `${index === 0 ? '' : `### ${name}\n\n`}${table(group)}`
      })
      return `## ${heading}\n\n${[intro, ...tables].join('\n\n')}`
    })
    .join('\n\n')
}

function table({ name, options }: OptionGroup): string {
  const rows = options.map((option) => {
    const anchor = anchorOf(name, option.name)
    return `| <a id="${anchor}"></a>\`${option.name}\` | ${defaultCell(option)} | ${textCell(name, option)} |`
  })
  return ['| option | default | what and why |', '|---|---|---|', ...rows].join('\n')
}

export function anchorOf(group: string, option: string): string {
  return `${group}-${option}`
    .toLowerCase()
    .replaceAll(/[^a-z\d]+/g, '-')
    .replace(/-$/, '')
}

function defaultCell({ defaultValue, unit, isRequired, group }: Option): string {
  // Marked: a phone says "default:" before all others.
  if (isRequired) return `<span class="required">${isRequired === 'either' ? 'one of these' : 'required'}</span>`
  if (defaultValue !== undefined) return `${code(defaultValue)}${unit ? ` ${unit}` : ''}`
  return group ? `its own: [${group}](#${group.toLowerCase()})` : 'none'
}

/** Words stay words, values become code. */
function code(value: string): string {
  const isValue = /^('[^']*'|\[.*\]|[\d.]+|true|false|Infinity|[a-z]+[A-Z]\w*)$/.test(value)
  return escape(isValue ? `\`${value}\`` : value)
}

function textCell(group: string, { name, text, unit, defaultValue, isRequired }: Option): string {
  const reason = defaultValue !== undefined && !isRequired && reasonOf(group, name)
  const inUnit = unit && defaultValue === undefined && !text.includes(unit) ? ` In ${unit}.` : ''
  return escape([text + inUnit, reason && `*Why:* ${reason}`].filter(Boolean).join(' ')) || '–'
}

/** Tables end at a pipe, and Vue reads tags and double braces. */
function escape(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('{{', '{ {')
}
