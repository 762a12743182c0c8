/** The words of the picture in Chinese, where it stands in a Chinese page. */
const chinese: Readonly<Record<string, string>> = {
  'A run is a log, a connection is a cursor': '回答是日志，连接是游标',
  'The model writes the text of one reply into a log at its own speed. The page that asked, a second tab and a phone each hold a position in it. The person interrupts at position 17: the log is cut there, for every reader, and the model server is told to stop.':
    '模型按自己的速度把一条回答写进日志。提问的页面、另一个标签页和一部手机，手里各有一个位置。用户在位置 8 打断：日志就在那里剪断，对每个读者都一样，模型服务也被叫停。',
  'the model': '模型',
  'writes at its own speed': '按自己的速度写',
  'the run log': '回答的日志',
  '0': '0',
  Once: '从前，',
  upon: '有一',
  a: '只',
  'time,': '狐狸',
  there: '遇见',
  lived: '了一',
  fox: '兔子',
  '4': '3',
  '9': '5',
  '11': '6',
  '17': '8',
  'cut in at 17': '在位置 8 打断',
  'the page that asked': '提问的页面',
  'froze there, and sent the 17': '停在那里，把 8 发出去',
  'a second tab': '另一个标签页',
  'had read on, and cuts back': '多读了一点，退回来',
  'a phone in a tunnel': '隧道里的手机',
  'comes back: “what is after 9?”': '回来了：“5 之后是什么？”',
}

/** The picture in the language of a page. @throws {Error} When a word of it has no translation. */
export function inLanguage(svg: string, lang: string): string {
  if (!lang.startsWith('zh')) return svg
  // Not the style, whose selectors stand between tags, too: it has more than one line.
  return svg.replaceAll(/>([^<>\n]+)</g, (_, words: string) => {
    const translated = chinese[words]
    if (translated === undefined) throw new Error(`run-log.svg: no Chinese for ${words}`)
    return `>${translated}<`
  })
}
