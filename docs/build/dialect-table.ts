import { dialects, type Dialect } from '@midstream/core/upstream'

/** What the gateway sends to each kind of server, as a Markdown table: from the dialects' own facts. */
export function dialectTable(): string {
  const rows = Object.entries(dialects).map(([name, dialect]) =>
    [`\`${name}\``, `\`${dialect.url}\``, continues(dialect), ...['on', 'off'].map((to) => think(dialect, to))].join(
      ' | ',
    ),
  )
  const head = 'dialect | where it listens | continues a cut reply by | thinking on | thinking off'
  return [head, '---|---|---|---|---', ...rows].map((row) => `| ${row} |`).join('\n')
}

function continues({ continuation }: Dialect): string {
  if (continuation === null) return 'words'
  const { body, message, path, models } = continuation
  const parts = [path && `\`${path}\``, message && json(message), body && json(body)].filter(Boolean)
  return (parts.join(', ') || 'the partial as last message') + (models ? '; of some models in words' : '')
}

function think({ think }: Dialect, to: string): string {
  return json(to === 'on' ? think.on : think.off)
}

function json(value: object): string {
  return `\`${JSON.stringify(value).slice(1, -1).replaceAll('"', '')}\``
}
