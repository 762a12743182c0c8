/** What the page says. */
interface Words extends Record<
  | 'title'
  | 'hint'
  | 'ask'
  | 'placeholder'
  | 'stop'
  | 'goOn'
  | 'clear'
  | 'sources'
  | 'nothing'
  | 'searching'
  | 'image'
  | 'unshowable',
  string
> {
  lines(from: number, to: number): string
  readonly states: Readonly<Record<'interrupted' | 'failed' | 'dropped', string>>
}

const en: Words = {
  title: 'Ask the documents',
  hint: 'Every question is looked up in a folder of documents; what was found stands below the answer.',
  ask: 'Ask',
  placeholder: 'How many days of annual leave do I have?',
  stop: 'Stop',
  goOn: 'Continue',
  clear: 'Clear',
  sources: 'Sources',
  nothing: 'The documents have nothing on this.',
  lines: (from: number, to: number) => (from === to ? `line ${from}` : `lines ${from} to ${to}`),
  searching: 'Looking …',
  image: 'image',
  unshowable: 'This conversation cannot be shown.',
  states: {
    interrupted: 'You stopped it here.',
    failed: 'It failed here.',
    dropped: 'The connection was lost here.',
  },
}

const zh: Words = {
  title: '向文档提问',
  hint: '每个问题都会先在文档文件夹中查找，找到的内容列在回答下面。',
  ask: '提问',
  placeholder: '我每年有多少天年假？',
  stop: '停止',
  goOn: '继续',
  clear: '清空',
  sources: '来源',
  nothing: '文档中没有相关内容。',
  lines: (from: number, to: number) => (from === to ? `第 ${from} 行` : `第 ${from} 至 ${to} 行`),
  searching: '正在查找……',
  image: '图片',
  unshowable: '无法显示这个对话。',
  states: { interrupted: '已在此停止。', failed: '在此出错。', dropped: '连接在此中断。' },
}

const isChinese = navigator.language.startsWith('zh')
export const language: string = isChinese ? 'zh-CN' : 'en'
export const words: Words = isChinese ? zh : en
