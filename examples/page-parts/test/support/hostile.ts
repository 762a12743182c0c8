const repeat = (text: string, length: number): string => text.repeat(Math.ceil(length / text.length))

/** Texts of about a length that are hard on Markdown parsers, by what is hard about them. */
export const hostile: Readonly<Record<string, (length: number) => string>> = {
  'quotes in quotes': (length) => repeat('>', length),
  'quotes that go on lazily': (length) => `${repeat('>', length / 2)} x\n${repeat('x\n', length / 2)}`,
  'items in items': (length) => `${repeat('- ', length)}x`,
  'numbers in numbers': (length) => `${repeat('1. ', length)}x`,
  'quotes and items': (length) => `${repeat('> - ', length)}x`,
  'an item deeper each line': (length) => {
    let text = ''
    for (let depth = 0; text.length < length; depth++) text += `${'  '.repeat(depth)}- a\n`
    return text
  },
  'items, many a line, deeper each line': (length) => {
    let text = ''
    for (let depth = 0; text.length < length; depth += 20) text += `${'  '.repeat(depth)}${'- '.repeat(20)}a\n`
    return text
  },
  'items without a blank line': (length) => repeat('- a\n', length),
  'numbers that no list counts': (length) => `a\n${repeat('2. *_\n', length)}`,
  'numbers behind another list': (length) => `- a\n${repeat('2. *_\n', length)}`,
  'items that are none': (length) => `a\n${repeat('      - *_\n', length)}`,
  stars: (length) => `${repeat('*', length / 2)}a${repeat('*', length / 2)}`,
  'stars and underscores': (length) => repeat('*_', length),
  'emphasis in emphasis': (length) => `${repeat('*a _b ', length / 2)}${repeat(' b_ a*', length / 2)}`,
  'strong in strong': (length) => `${repeat('**a ', length / 2)}${repeat(' a**', length / 2)}`,
  tildes: (length) => `${repeat('~~a ', length / 2)}${repeat(' a~~', length / 2)}`,
  brackets: (length) => `${repeat('[', length / 2)}a${repeat(']', length / 2)}`,
  'open brackets': (length) => repeat('[', length),
  'open brackets, a line each': (length) => repeat('[\n', length),
  'links in links': (length) => `${repeat('[', length / 5)}a${repeat('](b)', (length * 4) / 5)}`,
  'pictures in pictures': (length) => `${repeat('![', length / 3)}a${repeat('](b)', (length * 2) / 3)}`,
  footnotes: (length) => `[^a]: b\n\n${repeat('[^a] ', length)}`,
  definitions: (length) => repeat('[a]: b\n', length),
  'uses of a definition': (length) => `[a]: b\n\n${repeat('[a] ', length)}`,
  'backticks, one more each': (length) => {
    let text = ''
    for (let run = 1; text.length < length; run++) text += `${'`'.repeat(run)}a`
    return text
  },
  'comments that do not end': (length) => `a${repeat(' <!-- ', length)}`,
  'instructions that do not end': (length) => `a${repeat('<?', length)}`,
  'declarations that do not end': (length) => `a${repeat('<!A', length)}`,
  'tags that do not end': (length) => repeat('<a b="', length),
  'less-than signs': (length) => repeat('<', length),
  'headings, underlined': (length) => repeat('a\n=\n', length),
  'a wide table with short rows': (length) =>
    `${repeat('|a', length / 3)}\n${repeat('|-', length / 3)}\n${repeat('|\n', length / 3)}`,
  'many rows': (length) => `|a|\n|-|\n${repeat('|b|\n', length)}`,
  'a table that ends in an item': (length) => `|a|\n|-|\n- *\n${repeat('*_\n', length)}`,
  'a fence that is HTML': (length) => `<div>\n\`\`\`\n\n${repeat('*_', length)}`,
  'a fence that ends with its item': (length) => `- a\n  \`\`\`\n\n${repeat('*_', length)}`,
  addresses: (length) => repeat('http://a.b/&a; ', length),
  dollars: (length) => repeat('$', length),
  'one long word': (length) => repeat('a', length),
  blanks: (length) => `a${repeat(' ', length)}b`,
  lines: (length) => repeat('a\n', length),
  'blank lines': (length) => repeat('\n', length),
  blocks: (length) => repeat('> *a*\n\n', length),
  nulls: (length) => repeat('\0', length),
  'marks that stack': (length) => `e${repeat('\u0301', length)}`,
}
