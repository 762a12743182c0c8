/* oxlint-disable typescript/no-misused-spread -- texts are taken apart by code point on purpose */
// Writes N synthetic conversations (English and Chinese), one JSON array a line. Deterministic: node corpus.mjs N [seed] > corpus.jsonl
// A conversation is a list of [kind, text]:  u user | a assistant, complete | c assistant, cut off (history only, no end), with a note or not |
// p assistant prefix that was cut at any character; the next entry (a) is its continuation, tokenised on its own.
import {
  topics,
  cities,
  keywords,
  ideas,
  animals,
  names,
  znames,
  places,
  things,
  junkEn,
  junkZh,
} from './corpus-data.mjs'
import { misc, refuse, zrefuse, hard, zhard } from './misc-data.mjs'
let s = Number(process.argv[3] ?? 1) >>> 0
const rnd = () => {
  s = (s + 0x6d2b79f5) >>> 0
  let t = Math.imul(s ^ (s >>> 15), 1 | s)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
// a list keeps its order and starts anywhere, so that a small model does not say the same thing twice
const from = (a) => {
  const i = int(a.length)
  return [...a.slice(i), ...a.slice(0, i)]
}
const int = (n) => (rnd() * n) | 0,
  pick = (a) => a[int(a.length)],
  chance = (p) => rnd() < p,
  cap = (x) => x[0].toUpperCase() + x.slice(1)
const shuffle = (a) => {
  a = [...a]
  for (let i = a.length - 1; i > 0; i--) {
    const j = int(i + 1)
    ;[a[i], a[j]] = [a[j], a[i]]
  }
  return a
}
const weighted = (rows) => {
  let r = rnd() * rows.reduce((a, [w]) => a + w, 0)
  for (const [w, f] of rows) if ((r -= w) <= 0) return f
  return rows[0][1]
}
/** {a|b} one of, [x] maybe (also [x|y]), innermost first; $n slots */
function x(t, v = {}) {
  t = t.replace(/\$(\w)/g, (m, k) => v[k] ?? m)
  for (let n; ; t = n) {
    n = t.replace(/\{([^{}[\]]*)\}|\[([^{}[\]]*)\]/, (m, a, b) =>
      a !== undefined ? pick(a.split('|')) : chance(0.5) ? pick(b.split('|')) : '',
    )
    if (n === t) return t
  }
}
const wide = (t) =>
  t
    .split(/(```[^]*?```|`[^`]*`)/)
    .map((p, i) =>
      i % 2
        ? p
        : p
            .replaceAll(',', '，')
            .replaceAll(':', '：')
            .replaceAll('?', '？')
            .replaceAll('!', '！')
            .replaceAll(';', '；')
            .replaceAll('(', '（')
            .replaceAll(')', '）'),
    )
    .join('')
const A = (t, zh, v) => {
  t = x(t, v)
  return zh ? wide(t) : t
}
// ---- how people write
const pre = [
    'please ',
    'can you ',
    'could you tell me ',
    'hey, ',
    'so, ',
    'well, ',
    'and ',
    'ok, ',
    'hi, ',
    'hello! ',
    'I want to know ',
    'one question: ',
    'now ',
    'hmm, ',
    'wait, ',
    'sorry, ',
    'by the way, ',
    'I wonder ',
    'just curious: ',
    'tell me, ',
    'quick question: ',
    'could you please ',
    'would you ',
    'do you know ',
    'I would like to know ',
    'you know, ',
    'actually, ',
    'oh, ',
    'alright, ',
    'next: ',
    'let me ask: ',
    'my question is ',
    'in simple words, ',
    'in one line, ',
    'um, ',
  ],
  post = [
    ' please',
    ' thanks',
    ' for me',
    ', ok',
    ' again',
    ' exactly',
    ' in short',
    ' right now',
    ' today',
    ' if possible',
    ' in simple words',
    ' for a beginner',
    ' in a few words',
    ' on my laptop',
    ' on my computer',
    ' in my project',
    ' then',
    ' though',
    ' really',
    ' actually',
    ' anyway',
    ', friend',
    ', my friend',
    ' while I am here',
    ' if you can',
    ' for my trip',
    ' for my app',
    ' in general',
    ' again please',
  ]
const zpre = [
    '请',
    '请问',
    '请问，',
    '你好，',
    '那',
    '那么',
    '嗯，',
    '帮我',
    '我想知道',
    '能不能',
    '麻烦',
    '再问一下，',
    '好的，',
    '顺便问一下，',
    '请你',
    '麻烦你',
    '我想了解',
    '对了，',
    '等等，',
    '那个，',
    '请教一下，',
    '能告诉我',
    '可以告诉我',
    '我有个问题：',
    '问一下',
    '你能',
    '能',
    '可以',
    '简单',
    '快',
    '朋友，',
    '喂，',
    '我要',
    '我想问',
    '你知道',
    '其实，',
    '哎，',
    '接下来，',
  ],
  zpost = [
    '呢',
    '呀',
    '啊',
    '，谢谢',
    '吧',
    '一下',
    '来着',
    '可以吗',
    '好吗',
    '行吗',
    '，谢谢你',
    '呗',
    '嘛',
    '吗',
    '，你知道吗',
    '，说说看',
    '，告诉我',
    '，急',
    '，简单点',
  ]
// a sentence before or after the question that does not matter
const aside = [
    'I am new here. ',
    'My boss asked me this. ',
    'I read the page. ',
    'It is late. ',
    'I have a demo tomorrow. ',
    'I am a bit lost. ',
    'My friend told me about it. ',
    'I like this page. ',
    'There is one thing: ',
    'I am just testing. ',
    'I have no idea. ',
  ],
  zaside = [
    '我是新手，',
    '老板问我，',
    '刚看了页面，',
    '时间不多，',
    '明天要演示，',
    '我有点糊涂，',
    '朋友推荐的，',
    '我在测试，',
    '随便问问，',
    '我没听懂，',
  ],
  aside2 = [
    ', I am new to this',
    ', I am curious',
    ', my friend asked',
    ', just say it',
    ' - I have to know',
    ', I forgot',
  ]
// a word goes missing or comes twice
const slip = (q) => {
  const w = q.split(' '),
    i = int(w.length)
  if (w.length > 4)
    w.splice(
      i,
      ...(chance(0.6)
        ? [1]
        : [0, pick(['really', 'just', 'maybe', 'also', 'the', 'so', 'still', 'some', 'all', 'kind of'])]),
    )
  return w.join(' ')
}
function noisy(q, zh, plain) {
  q = x(q).trim()
  if (!zh) {
    if (chance(plain ? 0.1 : 0.3)) q = pick(pre) + q
    if (chance(plain ? 0.05 : 0.2)) q += pick(post)
    if (!plain && chance(0.12)) q = slip(q)
    if (!plain && chance(0.08)) q = pick(aside) + q
    if (!plain && chance(0.05)) q += pick(aside2)
    if (chance(0.07) && q.length > 8) {
      const i = 1 + int(q.length - 3)
      q = chance(0.5) ? q.slice(0, i) + q.slice(i + 1) : q.slice(0, i) + q[i + 1] + q[i] + q.slice(i + 2)
    }
    q = weighted([
      [6, () => cap(q)],
      [3.5, () => q.toLowerCase()],
      [0.5, () => q.toUpperCase()],
    ])()
    return (
      q +
      (/[.?!]$/.test(q)
        ? ''
        : weighted([
            [4, () => '?'],
            [3.4, () => ''],
            [2, () => '.'],
            [0.5, () => '!'],
          ])())
    )
  }
  if (chance(plain ? 0.12 : 0.3)) q = pick(zpre) + q
  if (chance(plain ? 0.1 : 0.22)) q += pick(zpost)
  if (!plain && chance(0.08)) q = pick(zaside) + q
  if (chance(0.04) && q.length > 6) {
    const i = 1 + int(q.length - 2)
    q = q.slice(0, i) + q.slice(i + 1)
  }
  q += weighted([
    [4, () => '？'],
    [1, () => '?'],
    [4, () => ''],
    [1.5, () => '。'],
    [0.4, () => '！'],
  ])()
  return q
}
const T = (u, a, zh, follow, plain) => ({ u: noisy(u, zh, plain), a, zh, follow })
const SHORT = [
    '{shorter|make it shorter|shorter please|in short|summarize|too long|in one sentence|keep it short|a short version|tl;dr|be brief|give me the short version}',
  ],
  ZSHORT = ['{短一点|简短一点|太长了|总结一下|一句话{说说|概括|总结}|简单说|再短一些|简单点|长话短说|精简一下}']
const MORE = [
    '{tell me more|more|more details|go deeper|what else|anything else|can you say more|explain more|more about {it|that}|go on}',
  ],
  ZMORE = ['{再多说一点|说详细一点|多说一点|还有{吗|呢|别的吗}|详细{说说|一点}|展开说说|再讲讲|然后呢|多讲一些}']
const WHY = ['{why|why is that|why so|but why|what is the reason|why though|how come}'],
  ZWHY = ['{为什么|为啥|为什么呢|原因是什么|为什么这样|怎么会这样}']
const CONT = [
    '{continue|go on|please continue|keep going|carry on|and then|finish it|continue please|go ahead|where were you|you stopped, go on|resume}',
  ],
  ZCONT = ['{继续|接着说|继续说|请继续|往下说|说完它|继续吧|接着讲|接着写|你还没说完|往下讲}']
// ---- topics and definitions
function topic(zh, t = pick(chance(0.55) ? topics.filter((t) => t.own) : topics.filter((t) => !t.own))) {
  const nm = pick(zh ? (t.znames ?? [t.zk ?? t.k]) : (t.names ?? [t.k]))
  const q = t.own
    ? pick(zh ? t.zq : t.q)
    : zh
      ? x(
          '{什么是' +
            nm +
            '|' +
            nm +
            '是什么|解释一下' +
            nm +
            '|' +
            nm +
            '是什么意思|介绍一下' +
            nm +
            '|讲讲' +
            nm +
            '|简单解释' +
            nm +
            '|给' +
            nm +
            '下个定义|说说' +
            nm +
            '}',
        )
      : x(
          '{what is ' +
            nm +
            '|explain ' +
            nm +
            '|define ' +
            nm +
            '|what does ' +
            nm +
            ' mean|tell me {about|what} ' +
            nm +
            '|describe ' +
            nm +
            '|what do you know about ' +
            nm +
            '|' +
            nm +
            '|give me a definition of ' +
            nm +
            '|what exactly is ' +
            nm +
            '}',
        )
  const ss = zh ? t.za : t.a,
    join = zh ? '' : ' ',
    glue = (p, n) => p + (p.endsWith('```') ? '\n\n' : join) + n
  const a = A(ss.reduce(glue), zh),
    follow = () => topicFollow(t, zh)
  return T(q, a, zh, follow)
}
function topicFollow(t, zh) {
  const f = () => topicFollow(t, zh),
    why = zh ? t.zwhy : t.why,
    o = [
      [2, () => T(pick(zh ? ZSHORT : SHORT), A((zh ? t.za : t.a)[0], zh), zh, f, 1)],
      [2, () => T(pick(zh ? ZMORE : MORE), A((zh ? t.zmore : t.more).join(zh ? '' : ' '), zh), zh, f, 1)],
    ]
  if (why) o.push([2, () => T(pick(zh ? ZWHY : WHY), A(why, zh), zh, f, 1)])
  return weighted(o)()
}
// ---- cities
const cityQ = [
  'what {are the|are some} {famous |}{sights|sightseeing spots|attractions|places to visit} {in|of} $c',
  'what {can I see|is there to see|should I see|should I visit} in $c',
  '{famous |}{sights|places|attractions} {in|of} $c',
  'tell me about $c',
  '{describe|introduce} {the sights of |}$c',
  'I {am going|want to go|will travel} to $c',
  'plan a trip to $c',
  'where should I go in $c',
  '$c travel {guide|tips}',
  'which places in $c are {famous|worth a visit|interesting}',
  'what to do in $c',
  'give me a tour of $c',
]
const zcityQ = [
  '$c有{哪些|什么}{著名|有名|好玩|值得去|}的{景点|地方}',
  '$c有{哪些|什么}{著名|}景点',
  '$c{有什么好玩的|好玩吗|怎么玩|旅游攻略|旅行推荐}',
  '介绍一下$c[的景点]',
  '推荐{几个|一些|}$c的{景点|好去处}',
  '去$c{玩什么|旅游|应该去哪里|看什么}',
  '我想去$c{玩|旅游|看看|}',
  '讲讲$c',
  '$c哪里{值得去|好玩|最有名}',
  '$c必去的{景点|地方}',
]
function city(zh, c = pick(cities)) {
  const [en, zc, all] = c,
    n = 4 + int(all.length - 3),
    keep = new Set(shuffle(all.map((_, i) => i)).slice(0, Math.min(all.length, n))),
    ss = chance(0.6) ? all : all.filter((_, i) => keep.has(i))
  let a
  if (zh)
    a =
      weighted([
        [
          6,
          () =>
            `${zc}有很多著名的景点。` +
            ss
              .map(
                ([, z, , , d], i) =>
                  (i === 0 ? '首先是' : i === ss.length - 1 ? '最后是' : pick(['然后是', '还有'])) + `**${z}**，${d}。`,
              )
              .join(''),
        ],
        [4, () => `${zc}有这些著名的景点：\n\n` + ss.map(([, z, , , d]) => `- **${z}**：${d}`).join('\n') + '\n\n'],
      ])() +
      pick(['建议安排两三天慢慢玩。', '春天和秋天去最舒服。', '']) +
      '想了解哪一个景点，可以接着问我。'
  else
    a =
      weighted([
        [
          6,
          () =>
            `${en} has many famous sights. ` +
            ss
              .map(
                ([e, , , d], i) =>
                  (i === 0
                    ? 'Start with'
                    : i === ss.length - 1
                      ? 'Finally, there is'
                      : pick(['Then see', 'You should also visit'])) + ` **${e}**, ${d}.`,
              )
              .join(' ') +
            ' ',
        ],
        [
          4,
          () =>
            `Here are the famous sights of ${en}:\n\n` +
            ss.map(([e, , , d]) => `- **${cap(e)}**: ${d}`).join('\n') +
            '\n\n',
        ],
      ])() +
      pick(['Two or three days are a good start. ', 'Spring and autumn are the best seasons. ', '']) +
      'Ask me about any of these places.'
  return T(pick(zh ? zcityQ : cityQ).replaceAll('$c', zh ? zc : en), wide2(a, zh), zh, () => cityFollow(c, zh, ss))
}
const wide2 = (t, zh) => (zh ? wide(t) : t)
const nowhere = [
    'Green Lake',
    'the Old Mill',
    'the Sky Tower',
    'Sunset Beach',
    'the Rose Garden',
    'the City Museum',
    'the White Bridge',
    'the Dragon Temple',
    'the Zoo',
    'the Opera House',
    'Golden Hill',
    'the Science Museum',
    'the Alhambra',
    'the Prado',
    'Mount Fuji',
    'the Kremlin',
    'Angkor Wat',
    'Niagara Falls',
    'Disneyland',
    'the Opera',
  ],
  znowhere = [
    '翠湖',
    '植物园',
    '动物园',
    '天文馆',
    '科技馆',
    '古城',
    '鼓楼',
    '白云山',
    '圆明园',
    '香山',
    '黄山',
    '泰山',
    '迪士尼',
    '鸟巢',
    '水立方',
    '什刹海',
    '国家博物馆',
    '布达拉宫',
    '鼓浪屿',
    '寒山寺',
    '恭王府',
    '十三陵',
  ]
// made-up places: they can not be learnt by heart, so the model has to copy the name from the question
const madeUp = () => [
  `${chance(0.4) ? 'the ' : ''}${pick('Silver Green Red Old New Long White Blue Royal North South Moon Star River Lotus Maple Jade Cherry Stone Crystal'.split(' '))} ${pick('Lake Tower Bridge Temple Garden Park Museum Palace Gate Hill Market Street Castle Church Island Square Theater Library Valley Harbor'.split(' '))}`,
  pick([...'翠碧云龙凤白青玉金银石松竹梅兰荷月星东西南北大小古新长平安福天清明光春秋雪风']) +
    pick([...'翠碧云龙凤白青玉金银石松竹梅兰荷月星水心和泉溪华阳庆乐宁']) +
    pick([
      '园',
      '寺',
      '山',
      '湖',
      '塔',
      '桥',
      '馆',
      '街',
      '宫',
      '城',
      '村',
      '岛',
      '谷',
      '公园',
      '博物馆',
      '古镇',
      '广场',
      '大厦',
    ]),
]
function sight(zh, sg, back) {
  sg ??= chance(0.4)
    ? ((n) => [n[0], n[1], '', null, null])(chance(0.25) ? [pick(nowhere), pick(znowhere)] : madeUp())
    : pick(pick(cities)[2])
  const [e, z, fl, d, zd] = sg,
    o = fl.includes('o'),
    b = fl.includes('b'),
    f = fl.includes('f'),
    n = zh ? z : e,
    N = cap(e),
    it = chance(0.5) ? e.replace(/^the /, '') : e,
    v = { S: n, n: N, q: zh ? n : it },
    fo = back ?? (() => sight(zh, sg, fo2)),
    fo2 = () => sight(zh, sg, fo2)
  const R = (q, a, zq, za, w = 2) => [
    w,
    () => T((zh ? zq : q).replaceAll('$q', v.q), A((zh ? za : a).replaceAll('$S', n).replaceAll('$n', N), zh), zh, fo),
  ]
  const rows = [
    R(
      '{what are the opening hours of $q|when does $q {open|close}|is $q open {today|now|on Monday|}|opening hours of $q|how late is $q open|at what time does $q open|$q opening times}',
      o
        ? '$n is an open area, so you can go **at any time**. Early morning is quiet, and the evening has nice light.'
        : '$n is usually open **during the day**, from morning until late afternoon. Hours change with the season, so please check the official site before you go.',
      '{$q的开放时间是{几点|什么时候|什么}|$q几点{开门|关门|开放}|$q什么时候开{门|放}|$q{今天|周一|现在|}开{门|放}吗|$q开放时间|$q开到几点|$q的营业时间}',
      o
        ? '$S是开放区域，**全天都可以去**。清晨比较安静，傍晚光线很美。'
        : '$S一般**白天开放**，早上开门，傍晚关门。不同季节时间会有变化，出发前请查看官方网站。',
      4,
    ),
    R(
      '{is $q {crowded|busy}{| today| now| on weekends}|are there many people at $q[ today]|how {crowded|busy} is $q|will there be a queue at $q|how long is the line at $q}',
      'I run offline and can not see live numbers. $n is usually **crowded** on weekends and holidays, so go early in the morning on a weekday.',
      '{$q{今天|现在|周末|明天|}人多吗|$q人{多不多|很多吗}|$q要排队吗|$q{今天|}挤不挤|$q会不会很挤|去$q排队久吗}',
      '我离线运行，看不到实时人流。$S在周末和节假日通常**人比较多**，建议工作日一早去。',
      4,
    ),
    R(
      '{do I need {to book|a reservation for|to reserve|a booking for} $q|should I book $q{| in advance| ahead}|is a reservation needed for $q|can I visit $q without booking|booking for $q}',
      b
        ? 'Yes, please **book ahead** for $q, especially in the high season. The official site has tickets and times.'.replace(
            '$q',
            e,
          )
        : o
          ? 'No, $S is an open area and needs **no booking**. Just go there.'
          : 'Usually you can buy a ticket for $S **on the spot**, but on holidays it is better to book ahead. The official site has the current rules.',
      '{$q{要|需要|用}{提前|}预约吗|$q{要不要|需不需要}预约|去$q{要|需要}{提前|}{预约|订票|预订}吗|$q怎么预约|$q{可以|能}不预约吗|$q预约}',
      b
        ? '要的，去$S最好**提前预约**，旺季尤其如此。门票和时间以官方网站为准。'
        : o
          ? '不用，$S是开放区域，**不需要预约**，直接去就可以。'
          : '$S平时一般可以**现场买票**，节假日最好提前预约。具体以官方网站为准。',
      4,
    ),
    R(
      '{how much {is|does} $q{| cost}|how much {is a ticket|are the tickets} for $q|ticket price of $q|what does $q cost|how expensive is $q|is there a fee for $q|{do I have to|must I} pay for $q|does it cost money to visit $q|is $q free[ to enter| of charge| to get in]|does $q charge|entrance fee for $q|do I need a ticket for $q|tickets for $q}',
      o || f
        ? '$n is **free** to enter as far as I know. Please check the official site, since rules may change.'
        : 'There is an **entrance fee** for $S. Prices change, so please look at the official site.',
      '{$q{门票|票价|}多少钱|$q{要|需要}{门票|买票}吗|$q免费吗|$q的门票{多少钱|价格}|$q{票价|门票}|$q收费吗|$q有学生票吗}',
      o || f
        ? '据我所知，$S是**免费**的。规定可能会变，请以官方网站为准。'
        : '$S需要**买门票**，价格会变化，请以官方网站为准。',
      2.5,
    ),
    R(
      '{how do I get to $q|where is $q|how can I reach $q|the way to $q|which metro goes to $q|is $q far{| away| from the city}|directions to $q}',
      'The easiest way to $S is by **metro, bus or taxi**. A map app will show you the best route, since I am offline.',
      '{怎么去$q|$q怎么{走|去}|$q在哪{里|儿|}|去$q坐{什么车|几号线|地铁吗}|$q{远不远|远吗}|$q的交通}',
      '去$S可以坐**地铁、公交或出租车**。我离线运行，请用地图应用查看最佳路线。',
      2.5,
    ),
    R(
      '{how {long|much time} {do I need for|does it take to see|should I plan for} $q|how many hours for $q|is one hour enough for $q}',
      'Plan about **two to three hours** for $S. With a slow walk and some photos, half a day is fine too.',
      '{$q要{玩|逛}多久|逛$q要{多久|多长时间|几个小时}|$q{半天|一个小时}够吗|$q需要多长时间}',
      '逛$S大约需要**两到三个小时**，慢慢走、拍拍照，半天也可以。',
      2,
    ),
    R(
      '{{when|what} is the best {time|season} {to visit|for} $q|when should I {go to|visit} $q|is $q nice in {winter|summer|spring|autumn}|best time for $q}',
      'Spring and autumn are the **best seasons** for $S. Early morning is quiet and has soft light.',
      '{什么时候去$q{最好|比较好|合适}|$q{几月|什么季节}去{最好|好}|{冬天|夏天|春天|秋天}适合去$q吗|$q最佳时间|几点去$q比较好}',
      '去$S**春天和秋天**最好，清晨人少，光线也柔和。',
      2,
    ),
    R(
      '{is $q good for {children|kids}|can I take {children|my kids|my parents} to $q|is $q good for {a family|old people}}',
      'Yes, $S is fine for **families**. Bring water and comfortable shoes, and take breaks.',
      '{$q适合{孩子|小孩|老人|带孩子}[去]吗|可以带{孩子|父母|老人}去$q吗|带孩子去$q好玩吗}',
      '可以，$S适合**全家**一起去。带上水，穿舒服的鞋，走走停停就好。',
      1.5,
    ),
  ]
  if (d)
    rows.push(
      R(
        '{tell me {more |}about $q|what is {|special about |so special about }$q|describe $q|more about $q|why is $q {famous|special}|is $q worth {it|a visit}|what can I see at $q|$q|introduce $q|why should I visit $q}',
        `$n is ${d}. {It is one of the places you should not miss.|Take your time and enjoy the details.} Please check the official site for hours and tickets.`,
        '{{介绍一下|讲讲|说说|多讲讲|再说说}$q|$q有什么{好玩的|特别的|好看的|特色}|$q{值得去吗|怎么样|好玩吗}|$q为什么{有名|出名}|$q|详细说说$q|$q有什么历史}',
        `$S，${zd}。{这是不能错过的地方。|可以慢慢走，细细看。}时间和门票请以官方网站为准。`,
        5,
      ),
    )
  return weighted(rows)()
}
function cityFollow(c, zh, ss) {
  const back = () => cityFollow(c, zh, ss),
    [en, zc, all] = c,
    R = (w, q, a, zq, za, plain) => [w, () => T(x(zh ? zq : q), A(zh ? za : a, zh), zh, back, plain)],
    top = all.slice(0, 3)
  const gen = R(
    1,
    '{what are the opening hours|when does it open|do I need to book|is it crowded today|how much are the tickets|do I need tickets}',
    'That depends on the place: most sights in ' +
      en +
      ' open **during the day**, and the popular ones should be booked ahead. Tell me which place you mean.',
    '{开放时间是几点|几点开门|要预约吗|今天人多吗|门票多少钱|要门票吗}',
    '要看是哪个景点：' + zc + '的大部分景点**白天开放**，热门的最好提前预约。告诉我你想问哪一个吧。',
  )
  return weighted([
    [11, () => sight(zh, chance(0.85) ? pick(chance(0.75) ? ss : all) : undefined, back)],
    gen,
    R(
      2,
      SHORT[0],
      `In short: see ${top
        .map((t) => `**${t[0]}**`)
        .join(', ')
        .replace(/, (?=[^,]*$)/, ' and ')}.`,
      ZSHORT[0],
      `简单说，${zc}首选${top.map((t) => `**${t[1]}**`).join('、')}。`,
      1,
    ),
    R(
      1.6,
      '{which {one|place|sight} {is the best|should I see first|do you recommend|is the most famous}|where should I go first|what is your favorite|if I have only one day|I have one day|which is best}',
      `If you have little time, start with **${top[0][0]}**: it is ${top[0][3]}.`,
      '{{哪个|哪一个}{最好|最值得去|最有名|最推荐}|先去哪{个|里}|你{推荐|最喜欢}哪个|只有一天{怎么玩|去哪里}|首选哪里}',
      `时间不多的话，先去**${top[0][1]}**：${top[0][4]}。`,
    ),
    R(
      1.2,
      '{what should I eat|what about the food|any local food|where can I eat|what is the local food}',
      `Try the local food of ${en} in small restaurants away from the big sights. Ask the people there, they know best.`,
      '{有什么好吃的|吃什么|美食呢|有什么小吃|去哪里吃饭|当地美食有哪些}',
      `在${zc}可以去离景点远一点的小店尝尝当地美食，问问本地人最靠谱。`,
    ),
    R(
      1.2,
      '{why|why is it famous|why should I go there|why is that|why go there}',
      `${en} has a long history and a lively present, and its sights show both.`,
      '{为什么|为什么有名|为什么值得去|为啥}',
      `因为${zc}既有悠久的历史，又有热闹的今天，景点里都能看到。`,
      1,
    ),
    R(
      1.2,
      '{how many days do I need|how long should I stay|is one day enough|how many days}',
      `Two or three days are a good start for ${en}. With a week you can also see the area around it.`,
      '{要玩几天|玩几天合适|一天够吗|需要几天}',
      `${zc}玩两三天比较合适，有一周的话还可以去周边看看。`,
    ),
    R(
      1,
      '{when is the best time to go|best season|which month is best|how is the weather there}',
      `Spring and autumn are the **best seasons** for ${en}.`,
      '{什么时候去最好|几月去比较好|什么季节去|那边天气怎么样}',
      `去${zc}**春天和秋天**最舒服。`,
    ),
    R(
      1,
      MORE[0],
      `Besides the big sights, walk through the old streets of ${en}, take a boat or a park bench, and watch daily life. Ask me about ${pick(top)[0]}, for example.`,
      ZMORE[0],
      `除了著名景点，也可以逛逛${zc}的老街和公园，看看当地人的生活。比如可以问我${pick(top)[1]}。`,
      1,
    ),
    [1, () => city(zh, pick(cities.filter((y) => y !== c)))],
  ])()
}
// ---- stories: one character has a name, the other one is "the turtle", so that there is only one name to copy. English names stand behind
// a space and without ** wherever they occur: then a name is the same single token each time.
const adj =
    'small|小小的 brave|勇敢的 curious|好奇的 gentle|温柔的 clever|聪明的 cheerful|快乐的 young|年轻的 kind|善良的 quiet|安静的'
      .split(' ')
      .map((t) => t.split('|')),
  askAdj = [
    ...adj,
    ...'little|可爱的 sad|难过的 happy|开心的 funny|有趣的 old|年老的 lonely|孤单的 tiny|很小的 silly|笨笨的 friendly|友好的 white|白色的 blue|蓝色的'
      .split(' ')
      .map((t) => t.split('|')),
  ]
const tadj = 'shiny|闪亮的 golden|金色的 wooden|木头的 strange|奇怪的 tiny|小小的 old|旧旧的 blue|蓝色的'
    .split(' ')
    .map((t) => t.split('|')),
  an = (t) => t.replace(/\b([Aa]) (?=[aeiouAEIOU])/g, '$1n ')
const storyQ = [
  '{tell|write|give} me a {|short |long |little |nice |bedtime |funny }story about {a|the|my|one} $a',
  '{a|another|one more} {|short |long }story about a $a',
  'story about a $a',
  'I want {to hear |}a story about a $a',
  '{tell|write} a {|long |short |fairy }{story|tale} about a $a',
  'once upon a time there was a $a',
  'do you know a story about a $a',
  '$a story',
  'a {tale|story} {of|about|with} a $a',
  'can you tell {me |}a story about a $a',
  'write something about a $a',
]
const bareQ = [
  '{tell|write|give} me a {|short |long |little |nice |bedtime |funny }story',
  '{a|another|one more} {|short |long }story',
  'I want {to hear |}a story',
  'do you know a story',
  'can you tell me a story',
  'story please',
  'tell a tale',
]
const zstoryQ = [
  '讲{一个|个}{关于$a的|$a的}{故事|童话}',
  '{给我|}{讲|说|写|编}{一个|个}{$a的|关于$a的}故事',
  '写{一个|一篇|个}{关于$a的|$a的}{故事|童话}',
  '我想听{$a的|关于$a的}故事',
  '来{一个|个}{$a的|关于$a的}故事',
  '{有|有没有}{$a的|关于$a的}故事吗',
  '$a的故事',
  '讲讲{一只|}$a的故事',
  '说{一段|个}{$a的|关于$a的}故事',
  '用$a写一个故事',
]
const zbareQ = [
  '讲{一个|个}{故事|童话}',
  '{给我|}{讲|说|写|编}{一个|个}{长一点的|短|睡前|好听的|有趣的|}故事',
  '写{一个|一篇|个}{故事|童话}',
  '我想听故事',
  '来{一个|个}故事',
  '再{讲|来}一个故事',
  '会讲故事吗',
]
const newName = (zh) =>
  zh
    ? chance(0.5)
      ? pick([...'小阿大老']) + pick([...'云龙青金石松竹月星水风雷雪冬夏林海江河木白黑红黄圆方飞跳笑乐香'])
      : pick(znames)
    : pick(names)
const measure = { 地图: '张', 钥匙: '把', 小鼓: '面', 信: '封', 镜子: '面', 书: '本', 雨伞: '把' },
  one = (t) => '一' + (measure[t] ?? '个')
function story(zh, v0 = {}, ask, lead = '') {
  const z = zh ? 1 : 0,
    v = {
      w: pick(animals),
      n: newName(zh),
      p: pick(places),
      t: pick(things),
      k: pick(tadj),
      plot: int(2),
      happy: false,
      ...v0,
    }
  const bare = !ask && chance(0.2),
    said = !ask && !bare && chance(0.35) ? pick(askAdj) : undefined,
    called = !ask && !bare && chance(0.15)
  v.j ??= said ?? pick(adj)
  if (v.w2 === undefined || v.w2 === v.w) v.w2 = pick(animals.filter((t) => t !== v.w))
  const w = v.w[z],
    w2 = v.w2[z],
    p = v.p[z],
    t = v.t[z],
    j = v.j[z],
    k = v.k[z],
    { n } = v
  const en = () => [
    lead || `Here is a ${v.happy ? 'happy ' : ''}story about a ${j} ${w} named ${n}.\n\n`,
    `Once upon a time, ${n} lived near ${p}.`,
    v.happy ? `${n} sang and laughed every morning.` : `${n} loved quiet days and long walks.`,
    `One day, ${n} found a ${k} ${t} under a big tree.`,
    `It shone in the light.\n\n`,
    `Soon a ${w2} came along the path.`,
    ...(v.happy
      ? [`"What a wonderful ${t}!" said the ${w2} with a big smile.`, `${n} and the ${w2} danced around the tree.\n\n`]
      : v.plot
        ? [
            `"That is my ${t}," said the ${w2}. "I lost it in the storm."`,
            `So ${n} smiled and gave the ${t} to the ${w2}.\n\n`,
          ]
        : [
            `"Please help me," said the ${w2}. "I can not find my way home."`,
            `So ${n} took the ${t} and went with the ${w2}.\n\n`,
          ]),
    `They walked over the hill and talked about the stars.`,
    v.happy
      ? 'In the evening there was music and cake for everybody.'
      : 'When the moon came up, they sat down and shared some bread.',
    `"Thank you, ${n}," said the ${w2}.`,
    `From that day on, ${n} and the ${w2} were the **best of friends**.`,
  ]
  const zhs = () => [
    lead,
    `从前，在${p}旁边，住着一只${j}${w}，名叫**${n}**。`,
    v.happy ? `${n}每天早上都开心地唱歌。` : `${n}喜欢安静的日子，也喜欢散步。`,
    `有一天，${n}在大树下发现了${one(t)}${k}${t}。`,
    '它在阳光下闪着光。\n\n',
    `不久，一只${w2}走了过来。`,
    ...(v.happy
      ? [`“多么好的${t}啊！”${w2}笑着说。`, `${n}和${w2}一起围着大树跳舞。\n\n`]
      : v.plot
        ? [`“那是我的${t}，”${w2}说，“我在暴风雨里把它弄丢了。”`, `${n}笑了笑，把${t}交给了${w2}。\n\n`]
        : [`“请帮帮我，”${w2}说，“我找不到回家的路了。”`, `${n}带上${t}，陪${w2}一起走。\n\n`]),
    '它们翻过小山，一路聊着星星和风。',
    v.happy ? '晚上，大家一起唱歌、吃蛋糕。' : '月亮升起来的时候，它们坐下来分享面包。',
    `“谢谢你，${n}。”${w2}说。`,
    `从那天起，${n}和${w2}成了**最好的朋友**。`,
  ]
  const a = zh ? zhs().join('') : an(en().reduce((q, r) => q + (q.endsWith('\n\n') ? '' : ' ') + r))
  // the user may say it in another way: 狗 for 小狗, 小兔子 for 兔子, a little fox, a fox called Nora
  const zw = w.startsWith('小') ? (chance(0.12) ? w.slice(1) : w) : chance(0.1) ? '小' + w : w,
    q = zh
      ? (said ? j : '') + (called ? `叫${n}的` : '') + zw
      : (said ? j + ' ' : chance(0.08) ? 'little ' : '') + w + (called ? pick([' named ', ' called ']) + n : '')
  return T(
    ask ??
      an(pick(bare ? (zh ? zbareQ : bareQ) : zh ? zstoryQ : called ? storyQ.slice(0, 6) : storyQ).replaceAll('$a', q)),
    a,
    zh,
    (shown) => storyFollow(v, zh, shown ?? a),
    0,
  )
}
function storyFollow(v, zh, shown) {
  const z = zh ? 1 : 0,
    w = v.w[z],
    w2 = v.w2[z],
    n0 = v.n,
    p = v.p[z],
    t = v.t[z],
    k = v.k[z],
    back = () => storyFollow(v, zh, shown),
    has = (y) => shown.includes(y),
    R = (wt, q, a, zq, za) => [wt, () => T(x(zh ? zq : q), an(A(zh ? za : a, zh)), zh, back, 1)]
  const other = pick(animals.filter((y) => y !== v.w)),
    o = other[z],
    keep = has(n0) ? v : { ...v, n: newName(zh) },
    n = has(n0) ? n0 : zh ? w : `the ${w}`,
    N = has(n0) ? n0 : `The ${w}`,
    nn = pick([1, 2]) === 1 ? newName(zh) : undefined,
    N2 = nn ?? newName(zh)
  const zo = o.startsWith('小') && chance(0.12) ? o.slice(1) : o.startsWith('小') || chance(0.9) ? o : '小' + o
  return weighted([
    R(
      5,
      `{what {was|is} {its|his|her|the ${w}'s|the ${w}s} name[ again]|what {was|is} the name of {the|that|this} ${w}|{who is|who was} the {hero|main character}|name of the ${w}|what did you call the ${w}|what {was|is} the ${w}'s name|how is the ${w} called|does the ${w} have a name|what name did you give the ${w}}`,
      has(n0) ? `The ${w}'s name is ${n0}.` : `I have not said it yet. Let us call the ${w} ${n0}.`,
      `{{它|主角|${w}|这只${w}|故事里的${w}}{叫什么|叫什么名字|的名字是什么|名字是什么}|主角是谁|那只${w}叫什么|${w}叫啥|它的名字呢|${w}有名字吗|你给${w}取了什么名字}`,
      has(n0) ? `${w}名叫**${n0}**。` : `我还没说到，就叫它**${n0}**吧。`,
    ),
    R(
      2,
      has(n0)
        ? `{who is ${n0}|what {kind of |}animal is ${n0}|is ${n0} a ${w}|what is ${n0}}`
        : `{what animal is it|who is it about}`,
      has(n0) ? `${n0} is the ${w} in the story.` : `The story is about a ${w}.`,
      has(n0) ? `{${n0}是谁|${n0}是什么动物|${n0}是${w}吗}` : '{是什么动物|讲的是谁}',
      has(n0) ? `${n0}是故事里的${w}。` : `讲的是一只${w}。`,
    ),
    R(
      2,
      `{who {was|is} {the|its|${n}'s} friend|who {came along|came|came by}|who did {${n}|the ${w}} meet|whom does the ${w} meet}`,
      has(w2) ? `${N} met a ${w2}.` : `I have not come to that yet: ${n} meets a ${w2}.`,
      `{它的朋友是谁|朋友是谁|后来谁来了|{${n}|它|${w}}遇到了谁|谁走了过来}`,
      has(w2) ? `${n}遇到了一只${w2}。` : `还没讲到呢：${n}会遇到一只${w2}。`,
    ),
    R(
      2,
      `{what did {it|${n}|the ${w}} find|what was under the tree|what did {it|${n}} find under the tree}`,
      has(t) ? `${N} found a ${k} ${t}.` : `I have not come to that yet: ${n} finds a ${k} ${t}.`,
      `{{它|${n}|${w}}{发现|找到|捡到}了什么|树下有什么}`,
      has(t) ? `${n}发现了${one(t)}${k}${t}。` : `还没讲到呢：${n}会发现${one(t)}${k}${t}。`,
    ),
    R(
      1.5,
      `{where {does|did} {it|${n}|the ${w}} live|where was it|where does the story happen|where is ${n}'s home}`,
      `${N} lived near ${p}.`,
      `{{它|${n}|${w}}住在哪{里|儿}|故事发生在哪里|${n}的家在哪里}`,
      `${n}住在${p}旁边。`,
    ),
    R(
      1.5,
      '{what is the moral|what can we learn|what is the meaning of the story|what does it mean|what is the point|what does the story teach{| us}}',
      'The story says that **sharing** makes friends, and that kindness comes back.',
      '{这个故事{告诉我们什么|的道理是什么|说明什么|有什么意义}|有什么道理|寓意是什么}',
      '这个故事告诉我们，**分享**会带来朋友，善良会得到回报。',
    ),
    R(1.5, WHY[0], `Because ${n} was kind and did not want to be alone.`, ZWHY[0], `因为${n}很善良，也不想孤单一个。`),
    R(
      1.5,
      SHORT[0],
      has(w2)
        ? `${N} found a ${t} and met a ${w2}, and they became **friends**.`
        : `It is a story about ${has(n0) ? `${n0} the ${w}` : `a ${w}`} near ${p}.`,
      ZSHORT[0],
      has(w2)
        ? `${n}发现了${one(t)}${t}，遇到一只${w2}，它们成了**好朋友**。`
        : `讲的是${p}旁边的${w}${has(n0) ? n0 : ''}。`,
    ),
    R(
      2,
      '{what happened {then|next|after that|in the end|at the end}|how {does|did} {it|the story} {end|turn out}|does it end well|how does it all end|what is the last part|and then what|the end|what is the {end|ending}|tell me the {end|ending}|did they become friends}',
      `In the end, ${n} and the ${w2} became **best friends**.`,
      '{后来{呢|怎么样了}|结局是什么|最后{怎么样了|怎样了|呢}|结果呢|然后发生了什么|故事的结尾是什么|它们成了朋友吗}',
      `最后，${n}和${w2}成了**最好的朋友**。`,
    ),
    [
      3,
      () =>
        story(
          zh,
          { ...keep, happy: true },
          zh
            ? '{{改得|让它|讲得|写得|把故事改得}{快乐|开心|高兴|欢乐}{一点|一些}|换个{开心|快乐}的|太悲伤了，开心一点|能不能快乐一点|要{快乐|开心}的{故事|结局}|来个{开心|高兴}的|来个{开心|快乐}版|讲得更{有趣|热闹}些|想要更{快乐|开心}的故事|{更|再}{开心|快乐}{些|一点}}'
            : '{make it {happier|more cheerful|funnier|more fun}|a happier {story|one|version}{| please}|can it be happier|make the story {happier|more cheerful}|too sad, make it happy|a {cheerful|happy|funny} version|tell it in a happy way|happier|I want it happier|more happy please|a {brighter|sunnier|more joyful} {one|story}|with more fun}',
          zh
            ? `好，来一个更开心的${w}故事。\n\n`
            : `Sure, here is a happier story about a ${v.j[0]} ${w} named ${keep.n}.\n\n`,
        ),
    ],
    [
      6,
      () =>
        story(
          zh,
          { ...keep, w: other },
          zh
            ? x(
                `{换成{一只|一个|}${zo}[吧]|改成{一只|}${zo}|用${zo}{再讲一遍|当主角|代替}|把${w}换成${zo}|主角{换成|改成}${zo}|不要${w}，要${zo}|{${zo}的呢|那${zo}呢}|我{更喜欢|想要}${zo}|如果是${zo}呢|{能|可以}{换成|用}${zo}吗|别讲${w}了，讲${zo}|${w}{换|改}${zo}|换${zo}来演}`,
              )
            : an(
                x(
                  `{make it a ${o}|with a ${o} instead|change {it|the ${w}} to a ${o}|change the ${w} into a ${o}|use a ${o} instead|the same with a ${o}|a ${o} please|now with a ${o}|no, a ${o}|I want a ${o}[ instead]|replace the ${w} with a ${o}|what about a ${o}|not a ${w}, a ${o}|can it be a ${o}|swap the ${w} for a ${o}|{a|use a|take a} ${o} instead of {a|the} ${w}|with a ${o} in place of the ${w}|make it a ${o}, not a ${w}|turn the ${w} into a ${o}|{could|can} you {make it|use|take} a ${o}[ instead of the ${w}]|why not a ${o}|I {like|prefer} a ${o} more than a ${w}|let the hero be a ${o}}`,
                ),
              ),
          zh ? `好，这次的主角是**${o}**。\n\n` : `Sure, here it is with a ${v.j[0]} ${o} named ${keep.n}.\n\n`,
        ),
    ],
    [
      2,
      () =>
        story(
          zh,
          { ...v, n: N2 },
          zh
            ? `{叫它${N2}吧|名字改成${N2}|${w}叫${N2}|让它叫${N2}|换个名字，叫${N2}}`
            : `{call it ${N2}|name it ${N2}|its name should be ${N2}|change the name to ${N2}|call the ${w} ${N2}}`,
          zh ? `好，这次的主角叫**${N2}**。\n\n` : `Sure, here it is with a ${v.j[0]} ${w} named ${N2}.\n\n`,
        ),
    ],
    [
      0.7,
      () =>
        story(
          zh,
          {},
          zh
            ? '{再来一个|换一个故事|再讲一个|另一个故事}'
            : '{another one|one more|a different story|another story please|tell me another}',
        ),
    ],
  ])()
}
// ---- lists, keywords, code, sums
function list(zh, key = pick(Object.keys(ideas)), ex = []) {
  const z = zh ? 1 : 0,
    nm = key.split('|')[z],
    left = ideas[key].filter((i) => !ex.includes(i)),
    pool = ex.length && left.length ? left : from(ideas[key]),
    n = Math.min(pool.length, pick([3, 3, 4, 5])),
    it = pool.slice(0, n),
    num = chance(0.5),
    bul = (y, i) => (num ? `${i + 1}. ` : '- ') + y.split('|')[z],
    zn = ['', '一', '二', '三', '四', '五'][n]
  const a =
    (zh
      ? pick([`关于${nm}，可以试试这些：`, `这里有${zn}个关于${nm}的点子：`])
      : pick([`Here are some ideas for ${nm}:`, `For ${nm}, you could try these:`])) +
    '\n\n' +
    it.map(bul).join('\n') +
    (chance(0.4) ? '\n\n' + (zh ? '你最喜欢哪一个？' : 'Which one do you like best?') : '')
  return T(
    x(
      zh
        ? pick([
            `{给我|列出|说}{${zn}个|${n}个|几个|一些}关于${nm}的{点子|建议|想法|主意}`,
            `${nm}{有什么{点子|建议|推荐}|怎么办|可以做什么|的建议|的点子}`,
            `推荐{${n}个|一些}${nm}`,
            `${nm}${n}个点子`,
          ])
        : pick([
            `{give me|list|name} {${n}|some|a few} ideas for ${nm}`,
            `{${n} |}ideas for ${nm}`,
            `what {can I do|are good ideas} for ${nm}`,
            `make a list for ${nm}`,
            `{suggestions|tips} for ${nm}`,
            `how about ${nm}`,
            `I need {ideas|tips} for ${nm}`,
          ]),
    ),
    wide2(a, zh),
    zh,
    () =>
      weighted([
        [
          2,
          () =>
            T(
              pick(zh ? ZSHORT : SHORT),
              wide2(zh ? `${it[0].split('|')[1]}就好。` : `${it[0].split('|')[0]}.`, zh),
              zh,
              undefined,
              1,
            ),
        ],
        [
          2,
          () => ({
            ...list(zh, key, it),
            u: noisy(
              zh
                ? '{再来几个|还有吗|换几个|再多一点|还有别的吗}'
                : '{more ideas|some more|any others|other ideas|more please|what else}',
              zh,
              1,
            ),
          }),
        ],
        [
          2,
          () =>
            T(
              zh
                ? '{你最{喜欢|推荐}哪个|哪个最好|选一个}'
                : '{which one is {the |}best|which do you like|pick one|which one should I choose}',
              wide2(zh ? `我会选：${it[0].split('|')[1]}。` : `I would choose this one: ${it[0].split('|')[0]}.`, zh),
              zh,
              undefined,
              1,
            ),
        ],
        [
          1,
          () =>
            T(
              pick(zh ? ZWHY : WHY),
              wide2(
                zh
                  ? '因为简单的小事最容易开始，也最容易坚持。'
                  : 'Because small and simple things are the easiest to start with.',
                zh,
              ),
              zh,
              undefined,
              1,
            ),
        ],
      ])(),
  )
}
const N_EN = ['', 'one', 'two', 'three', 'four', 'five'],
  N_ZH = ['', '一', '两', '三', '四', '五']
function three(zh) {
  const z = zh ? 1 : 0,
    key = chance(0.92) ? pick(Object.keys(keywords)) : undefined,
    kind = int(2),
    nm = key ? key.split('|')[z] : kind ? pick(animals)[z] : zh ? pick(junkZh) : pick(junkEn)
  const all = (
      key
        ? keywords[key]
        : kind
          ? ['lively|快乐', 'clever|机灵', 'lovely|可爱', 'curious|好奇', 'free|自由', 'soft|轻柔']
          : ['special|特别', 'interesting|有趣', 'rich|丰富', 'memorable|难忘', 'famous|有名', 'deep|深刻']
    ).map((t) => t.split('|')[z]),
    n = chance(0.75) ? 3 : pick([2, 4, 5])
  const say = (w, more) =>
    zh
      ? `${more ? '再来' : '描述' + nm + '的'}${N_ZH[w.length]}个${more ? '' : '关键词'}：${w.map((t) => `**${t}**`).join('、')}。`
      : (more ? 'Some more: ' : `${cap(N_EN[w.length])} keywords for ${nm}: `) +
        w
          .slice(0, -1)
          .map((t) => `**${t}**`)
          .join(', ') +
        ` and **${w.at(-1)}**.`
  const zn = chance(0.8) ? N_ZH[n] : n,
    en = chance(0.85) ? N_EN[n] : n,
    f = () =>
      weighted([
        [
          2,
          () =>
            T(
              zh
                ? '{为什么|为什么选这几个|为什么是这些|为什么选这些词}'
                : '{why|why these|why these words|why did you choose them}',
              wide2(
                zh
                  ? `因为说到${nm}，人们常常会想到**${all[0]}**和**${all[1]}**。`
                  : `Because people often think of **${all[0]}** and **${all[1]}** when they hear about ${nm}.`,
                zh,
              ),
              zh,
              undefined,
              1,
            ),
        ],
        [
          n === 3 ? 2 : 0,
          () =>
            T(
              zh
                ? '{再换三个|再来三个|还有别的吗|换几个词|再来几个|换三个}'
                : '{three more|other words|more words|give me three more|some other ones|different words}',
              say(all.slice(3, 6), 1),
              zh,
              undefined,
              1,
            ),
        ],
      ])()
  return T(
    zh
      ? `{{请|}{用|给出|说}{${zn}个|${n}个}{关键词|词|词语}{来|}{描述|形容|概括|总结}[一下]${nm}|${nm}的${zn}个{关键词|词}|说出${zn}个{和|关于}${nm}[有关]的词|给我${zn}个关于${nm}的{关键词|词语|词}|列出${nm}的${zn}个关键词|${nm}用${zn}个词怎么{形容|描述|说}|想到${nm}，说${zn}个词}`
      : `{describe ${nm} {in|with|using} ${en} {keywords|words|key words}|${en} {keywords|words} {for|about|on|that describe} ${nm}|give me ${en} {keywords|words} {for|about} ${nm}|use ${en} {keywords|words} to describe ${nm}|sum up ${nm} {in|with} ${en} {keywords|words}|what are ${en} {keywords|words} for ${nm}|name ${en} {keywords|words} {for|about} ${nm}|how would you describe ${nm} in ${en} words|say ${en} words about ${nm}|${nm} {in|with} ${en} keywords|list ${en} keywords for ${nm}}`,
    say(all.slice(0, n)),
    zh,
    f,
  )
}
const snippets = [
  [
    'hello world|打印 hello',
    {
      js: 'console.log("Hello, world!");',
      python: 'print("Hello, world!")',
      ts: 'const text: string = "Hello, world!";\nconsole.log(text);',
    },
  ],
  [
    'add two numbers|两数相加',
    {
      js: 'function add(a, b) {\n  return a + b;\n}\n\nconsole.log(add(2, 3));',
      python: 'def add(a, b):\n    return a + b\n\nprint(add(2, 3))',
      ts: 'function add(a: number, b: number): number {\n  return a + b;\n}',
    },
  ],
  [
    'a loop|循环',
    {
      js: 'for (let i = 0; i < 3; i++) {\n  console.log(i);\n}',
      python: 'for i in range(3):\n    print(i)',
      ts: 'for (let i = 0; i < 3; i++) {\n  console.log(i);\n}',
    },
  ],
  [
    'reverse a string|反转字符串',
    {
      js: 'const reverse = (text) => [...text].reverse().join("");\n\nconsole.log(reverse("abc"));',
      python: 'def reverse(text):\n    return text[::-1]\n\nprint(reverse("abc"))',
      ts: 'const reverse = (text: string) => [...text].reverse().join("");',
    },
  ],
  [
    'fetch a page|请求网页',
    {
      js: 'const response = await fetch("/api/chat");\nconsole.log(response.status);',
      python: 'from urllib.request import urlopen\n\nprint(urlopen("http://localhost").status)',
      ts: 'const response: Response = await fetch("/api/chat");\nconsole.log(response.status);',
    },
  ],
  [
    'a list|列表',
    {
      js: 'const items = ["tea", "rice", "bread"];\n\nfor (const item of items) console.log(item);',
      python: 'items = ["tea", "rice", "bread"]\n\nfor item in items:\n    print(item)',
      ts: 'const items: string[] = ["tea", "rice", "bread"];\nconsole.log(items.length);',
    },
  ],
]
function code(zh, sn = pick(snippets), lang = pick(['js', 'python', 'ts'])) {
  const L = { js: 'JavaScript', python: 'Python', ts: 'TypeScript' }[lang],
    nm = sn[0].split('|'),
    any = chance(0.3),
    s1 = any ? snippets[0] : sn
  const a =
    (zh
      ? pick(['这是一个小例子：', `用 ${L} 可以这样写：`])
      : pick(['Here is a small example:', `In ${L} you can write it like this:`])) +
    `\n\n\`\`\`${lang}\n${s1[1][lang]}\n\`\`\`\n\n` +
    (zh ? '运行一下，看看输出什么。' : 'Run it and see what it prints.')
  return T(
    any
      ? zh
        ? `{写|给我|来}一{段|个} ${L} {代码|例子|函数|程序}`
        : `{write|show me|give me} {a|some|a bit of} ${L} {code|example|program|function}`
      : zh
        ? `{用|写} ${L} {写|实现|}{一个|}${nm[1]}[的代码]`
        : `{how do I write|write|show me|code for} ${nm[0]} in ${L}`,
    a,
    zh,
    () =>
      weighted([
        [
          2,
          () => {
            const o = pick(['js', 'python', 'ts'].filter((t) => t !== lang)),
              OL = { js: 'JavaScript', python: 'Python', ts: 'TypeScript' }[o]
            return {
              ...code(zh, s1, o),
              u: noisy(
                zh ? `{换成|改成|用} ${OL}{写|}` : `{now in ${OL}|in ${OL} please|and in ${OL}|the same in ${OL}}`,
                zh,
                1,
              ),
              a:
                (zh ? `用 ${OL} 可以这样写：` : `In ${OL} you can write it like this:`) +
                `\n\n\`\`\`${o}\n${s1[1][o]}\n\`\`\``,
            }
          },
        ],
        [
          1,
          () =>
            T(
              zh
                ? '{解释一下|这是什么意思|什么意思}'
                : '{explain it|what does it do|explain the code|what does it mean}',
              wide2(
                zh
                  ? `这段代码很短：它展示了如何用 ${L} 做一件小事，运行后会把结果显示出来。`
                  : `The code is short: it does one small thing in ${L} and shows the result when you run it.`,
                zh,
              ),
              zh,
              undefined,
              1,
            ),
        ],
      ])(),
  )
}
function sum(zh) {
  const a = int(10),
    plus = chance(0.65),
    b = plus ? int(10) : int(a + 1),
    op = plus ? '+' : '-',
    r = plus ? a + b : a - b,
    w = plus ? 'plus' : 'minus',
    zw = plus ? '加' : '减',
    sp = chance(0.5) ? ' ' : '',
    q = zh
      ? `{${a}${zw}${b}{等于几|等于多少|是多少|}|${a}${sp}${op}${sp}${b}{等于几|等于多少|=|}}`
      : `{what is |how much is |calculate |}{${a}${sp}${op}${sp}${b}|${a} ${w} ${b}}`
  return T(q, `${a} ${op} ${b} = **${r}**`, zh, () => sum(zh), 1)
}
// ---- small talk and refusals
function small(zh) {
  const m = weighted(misc.map((m) => [m[4], m]))
  return T(pick(m[zh ? 2 : 0]), A(pick(m[zh ? 3 : 1]), zh), zh, undefined, 1)
}
// rare characters and nonsense words: the byte-fallback tokens must be known as 'out of my depth'
const rare = (zh) =>
  Array.from({ length: zh ? 2 + int(3) : 4 + int(5) }, () =>
    zh
      ? String.fromCharCode(0x4e00 + int(0x5000))
      : chance(0.06)
        ? pick([...'éüßñøж日🙂'])
        : 'etaoinshrdlucmfwypvbgkqjxz'[Math.min(int(26), int(26))],
  ).join('')
function no(zh) {
  const j = chance(0.25) ? rare(zh) : pick(zh ? junkZh : junkEn)
  return T(x(pick(zh ? zhard : hard), { j }), A(pick(zh ? zrefuse : refuse), zh), zh, () =>
    chance(0.4)
      ? T(
          pick(zh ? ZWHY : WHY),
          zh
            ? '因为我非常小，只学过一些简单的文本。'
            : 'Because I am very small and have only seen a few simple texts.',
          zh,
          undefined,
          1,
        )
      : no(zh),
  )
}
const first = (zh) =>
  weighted([
    [33, topic],
    [6, city],
    [16, sight],
    [Number(process.env.STORY ?? 20), story],
    [6, list],
    [15, three],
    [4, code],
    [9, sum],
    [23, small],
    [9, no],
  ])(zh)
// ---- conversations: interruptions, notes, continuations
const notes = [
  '\n\n[interrupted by the user]',
  ' [interrupted by the user]',
  '\n\n[interrupted]',
  '…',
  '\n\n[The user interrupted this reply.]',
  '\n\n[被用户打断]',
  '（已被用户中断）',
  '...',
]
const restart = (t, c) => {
  let i = c
  while (i > 0 && !/[.!?。！？\n]/.test(t[i - 1])) i--
  while (/\s/.test(t[i] ?? '')) i++
  return t.slice(i)
}
function cutAt(t) {
  const chars = [...t]
  return chars.slice(0, 1 + int(chars.length - 1)).join('')
}
function conversation() {
  const m = []
  let zh = chance(0.5),
    t = first(zh),
    seen = '',
    going = false
  const turns = pick([1, 1, 1, 2, 2, 2, 3, 4])
  for (let i = 0; ; i++) {
    m.push(['u', t.u])
    const last = i === turns - 1,
      long = [...t.a].length > 30
    if (last) {
      if (long ? chance(zh ? 0.25 : 0.42) : chance(0.1)) {
        const c = cutAt(t.a)
        m.push(['p', c], ['a', t.a.slice(c.length)])
      } else m.push(['a', t.a])
      return m
    }
    let shown = t.a
    const cut = long && chance(0.5)
    const told = going ? seen : ''
    going = false
    if (cut) {
      shown = cutAt(t.a)
      m.push(chance(0.25) ? ['c', shown, pick(notes)] : ['c', shown])
    } else m.push(['a', t.a])
    if (cut && chance(0.25) && !t.a.includes('```')) {
      const rest = restart(t.a, shown.length)
      if (rest) {
        seen = told + shown
        going = true
        t = { ...T(pick(zh ? ZCONT : CONT), rest, zh, t.follow, 1) }
        continue
      }
    }
    if (t.follow && chance(0.75)) t = t.follow(told + shown)
    else {
      if (chance(0.06)) zh = !zh
      t = first(zh)
    }
    zh = t.zh
  }
}
const N = Number(process.argv[2] ?? 10),
  out = []
for (let i = 0; i < N; i++) out.push(JSON.stringify(conversation()))
process.stdout.write(out.join('\n') + '\n')
