import { ChatError, type ChatErrorCode, type UpstreamErrorCode } from '../../wire/errors.ts'
import { once } from '../../once.ts'
import { parsedJson } from '../../wire/json.ts'
import { crashWords } from './crash-words.ts'
import { maxSaid, readError } from './said-error.ts'
import { waitSaid } from './wait-words.ts'

/** What a server's words mean, with a status or inside a stream, as a dialect knows them. */
export type ErrorWords = readonly (readonly [words: RegExp, code: UpstreamErrorCode])[]

const filter =
  'content_filter|content_policy|content policy|data_inspection_failed|datainspectionfailed|敏感(?:内容|词|信息)|违规|内容安全|安全审核'
const account =
  '(?:incorrect|invalid|wrong|expired|missing|no|unknown) (?:openai |x-)?(?:api[ _-]?key|credentials?|auth credentials)|api[ _-]?key (?:is |was )?(?:not valid|invalid|incorrect|expired|missing|not found|disabled)|' +
  'invalid_?api_?key|api_key_invalid|unauthenticated|not authenticated|invalid[ _](?:access[ _]|auth\\w*[ _])?token|(?:invalid|incorrect|failed)[ _]authentication|authentication[ _](?:is )?(?:fail(?:s|ed|ure)|invalid|required)|' +
  '(?:token|credentials?|session|trial|subscription|plan|license)[ _](?:is |was |has |have )?(?:been )?expired|expired[ _](?:\\w{1,20}[ _])?token|\\bunauthori[sz]ed\\b|not authori[sz]ed|permission[ _]denied|access[ _]?denied|invalid signature|in arrears|arrearage|overdue|' +
  '(?:credit )?balance is (?:too low|not enough|insufficient)|(?:insufficient|not enough|run out of|ran out of|out of|requires more|no)[_ ](?:\\w{1,20}[_ ]){0,2}(?:balance|quota|credits?|funds)\\b|(?:quota|credits?|balance|free[ _]?tier)[_ ](?:(?:is|are|was|were|has|have)[_ ])?(?:been[_ ])?(?:(?:used up|exhausted|depleted|not enough|insufficient)\\b|too low)|no credits? left|(?:budget|spending limit|hard limit|usage limit)[^]{0,20}(?:exceeded|reached)|budget_exceeded|free[ _]?tier of|free_?tier_?only|' +
  'billing_(?:error|hard_limit_reached|not_active)|' +
  'account (?:is |has been )?(?:suspended|disabled|deactivated|not active|overdue)|payment required|' +
  '余额不足|额度(?:不足|已?(?:用尽|用完|耗尽))|欠费|账户(?:余额|已?冻结|异常|已?停用)|(?:密钥|令牌|api[ _-]?key)[^]{0,8}(?:无效|错误|过期|不存在|不正确|失效)|鉴权失败|未授权|未登录|无权(?:访问|限)|权限不足|身份(?:验证|认证)失败|认证失败'
const busy =
  'overload|rate[ _-]?limit|too many (?:concurrent|requests?|users|pending|connections|sessions)|too_many_requests|(?:high|heavy|peak) (?:demand|load|traffic)|unavailable_error|(?:temporarily|currently|service(?: is)?) unavailable|\\bunavailable\\b|' +
  'loading model|warming up|no gpus? (?:is |are )?available|model is (?:still |currently )?loading|server (?:is )?(?:currently )?busy|\\bbusy\\b|insufficient_system|throttl|resource(?:_| (?:has been )?)exhausted|\\b[rtqi]p[msdh](?:\\b|_)[^]{0,30}(?:limit|exceed|reach)|(?:limit|exceed|reach)[^]{0,30}\\b[rtqi]p[msdh]\\b|(?:requests?|tokens?) per (?:second|minute|min|hour|day)|(?:request|usage|concurrent) limit|(?:try|retry)(?: \\w+){0,3} (?:later|after (?:some|a) )|quota (?:was |is )?exceeded|exceeded [^]{0,30}quota|' +
  'concurrency|slow down|at capacity|over capacity|out of capacity|no (?:available |free |healthy )?(?:capacity|slots?|workers?|instances?|channels?|providers?|replicas?|endpoints?)\\b|queue is full|pending requests exceeded|' +
  '无可用渠道|负载[较过很]?高|繁忙|限流|限速|频率|过于频繁|并发|过载|负载过高|访问量过大|(?:稍后|稍候)(?:再试|重试)|排队'
/** A request that is larger than what one may be, also where a limit of tokens a minute says so: it never passes. */
const oversized =
  'request (?:is |was )?too large|request_too_large|tokens? must be reduced|reduce (?:the length|(?:your|the) (?:message|prompt|input|request) size)|' +
  'maximum context|context_length_exceeded|exceeds the context window|(?:prompt|input) is too (?:long|large)'
const overflow =
  'exceed_context_size|context[ _](?:size|length|window|limit|overflow|(?:is |was )?(?:exceeded|full|too (?:long|large)))|exceed(?:s|ed|ing)? (?:\\w{1,20} ){0,2}context|\\bn_ctx\\b|max_(?:seq|model|input)_len|maximum context|' +
  '\\bmax_tokens\\b|at most \\d{1,9} (?:\\w{1,20} )?tokens|requested \\d{1,9} tokens|tokens?`? ?\\+ ?`?max_new_tokens|(?:token|input|prompt|sequence) (?:length |count |size )?(?:limit )?(?:is |was )?exceeded|token limit|too many tokens in|(?:prompt|input|request|message)s? (?:is |are |was )?(?:too (?:long|large)|longer than)|' +
  '(?:maximum|max)(?:imum)? (?:allowed )?(?:input|prompt|sequence|model)[ _](?:length|tokens?|len)|(?:input|prompt) (?:token count|length|tokens?) [^]{0,60}(?:exceed|only supports|but|limit)|only supports up to|' +
  'too many (?:input )?tokens|reduce the length|range of input length|exceeds? the (?:model|available|maximum|limit)[^]{0,40}(?:token|length|context)|' +
  '(?:输入|上下文|提示词|文本|内容|token)[^]{0,20}(?:过长|太长|超长|超过|超出|超限)'

/** What proxies say of a server behind them, and clients of a connection, where no status says so. */
const unreachable =
  'connection error|peer closed connection|incomplete chunked read|upstream (?:connect error|connection|request time-?out|prematurely closed|timed? ?-?out)|disconnect/reset before headers|no healthy upstream|bad[ _-]gateway|gateway[ _-]?time-?out|deadline[_ ]exceeded|' +
  'deadlineexceeded|web server is down|origin (?:is |was )?unreachable|(?:request|read|connect(?:ion)?|server|stream|operation|response)[ _](?:has )?(?:timed?[ -]?out|timeout)|\\be(?:connrefused|connreset|timedout|hostunreach|pipe|ai_again|notfound)\\b|' +
  'socket hang up|fetch failed|(?:host|server|provider|backend) (?:is )?(?:unreachable|disconnected)|网关(?:超时|错误)|(?:请求|连接|响应)超时'
/** Faults of a server that has said nothing more of them, in the middle of a reply: as a rule the next request is answered. */
const passing = /^(?:\S+ ){0,3}(?:an? )?(?:(?:unexpected )?internal[ _]?(?:server[ _]?)?error|the server had an error)/i

/** What an error's words mean, as `#status words`; the first line that fits counts. Words are those of real servers. */
const meanings = /* @__PURE__ */ once<readonly (readonly [RegExp, ChatErrorCode])[]>(() => {
  // The beginning of what is said: behind it, servers say the request again.
  const said = (prefix: string, words: string): RegExp => new RegExp(`^#${prefix}[^]{0,300}(?:${words})`, 'i')
  return [
    [new RegExp(filter, 'i'), 'upstream_rejected'],
    // A bare 403 may be a filter's. Of a 5xx the server takes the blame, whatever words stand there.
    [/^#40[12]\b/, 'upstream_unauthorized'],
    [
      /^#(?!5|4(?!03|29)).*((authentication|permission)_?error|billing_error|insufficient_quota|insufficient balance)/is,
      'upstream_unauthorized',
    ],
    [said('(?!5)', account), 'upstream_unauthorized'],
    [said('(?!5|401|402|403|404|408)', oversized), 'upstream_rejected'],
    // 529 is Anthropic's word for being overloaded; 425 is too early.
    [/^#(425|429|503|529)\b/, 'upstream_busy'],
    // What a proxy says when there is nobody behind it, or nobody who answers: 520 to 530 are Cloudflare's, 499 is nginx's.
    [/^#(408|499|502|504|52\d|530|598|599)\b|^# timeout_error/, 'upstream_unreachable'],
    // Servers name the model, in whatever words; a wrong path names none, and would send people looking for the model.
    [/model_not_found|^#404 .*model|^# not_found_error/is, 'upstream_model_missing'],
    [
      /^#(?!5).{0,80}\bmodel\b.{0,120}(?:not found|does not exist|not exist)|^#(?!5).{0,80}模型.{0,60}(?:不存在|未找到)/is,
      'upstream_model_missing',
    ],
    [
      /^#(?!5).{0,80}(?:unknown|no such|invalid|unsupported) model\b(?! (?:output|response|reply))|^#(?!5)\S* ?model_not_supported/is,
      'upstream_model_missing',
    ],
    // The label of a refusal says that it passes, and nothing that a person has written can be in it.
    [
      /^#4\d\d (?:\S+ )?(?:rate_?limit\w*|throttling\w*|too_many_requests|resource_exhausted|overloaded_error|unavailable)(?: |$)/i,
      'upstream_busy',
    ],
    [/^#[1-4]\d\d\b/, 'upstream_rejected'],
    [said('', unreachable), 'upstream_unreachable'],
    [said('', 'rate[ _-]?limit|too many (?:concurrent )?requests'), 'upstream_busy'],
    [new RegExp(overflow, 'i'), 'upstream_rejected'],
    [said('', busy), 'upstream_busy'],
    [crashWords, 'upstream_crashed'],
    [
      // Of a 5xx the server takes the blame, whatever words stand there.
      /^#(?!5).*(invalid_?request|invalid_?parameter|badrequest|request_too_large|conflict_error)/is,
      'upstream_rejected',
    ],
  ]
})

/**
 * What a server's error means, wherever it was said: in an answer that is not 200, or inside a stream.
 * @param status - Of HTTP, or what stands for it.
 * @param own - What the dialect knows of its words: it goes before what is known of all.
 */
export function meaningOf(status: number | string, said: string, own: ErrorWords = []): ChatErrorCode {
  return meant(status, said, parsedJson(said) ?? said, own).code
}

/** Where a validator begins to say the request again, as Python and JSON write it: what a person wrote decides nothing. */
const echo = /\\?["'](?:input|content|messages|body|text|prompt)\\?["']\s{0,3}:|\binput_value=/

function withoutEcho(said: string): string {
  const at = said.search(echo)
  return at < 0 ? said : said.slice(0, at)
}

/** The same with the wait that the words say, ms. */
export function meant(
  status: number | string,
  said: string,
  error: unknown,
  own: ErrorWords = [],
): { readonly code: ChatErrorCode; readonly waitMs: number | undefined } {
  const { code, words } = readError(error)
  const isJson = typeof error === 'object' && error !== null
  // A server may say the whole prompt again: what it means stands at the beginning. Not `test`: an app's own may be global.
  const brief = `#${status === '' ? code : status} ${withoutEcho(isJson ? words : said.slice(0, maxSaid))}`
  const raw = `#${status} ${said.slice(0, maxSaid)}`
  const fits = ([pattern]: readonly [RegExp, ChatErrorCode]): boolean => brief.search(pattern) >= 0
  const known = own.find(([pattern]) => raw.search(pattern) >= 0 || brief.search(pattern) >= 0) ?? meanings().find(fits)
  const isFrame = status === ''
  const found = known?.[1] ?? (isFrame && passing.test(words) ? 'upstream_crashed' : 'upstream_failed')
  // A quota that comes back is no account without money.
  const mayWait =
    mayPass(found) || (found === 'upstream_unauthorized' && /quota|limit/i.test(words) && (isFrame || status === 429))
  const waitMs = mayWait ? waitSaid(error, words) : undefined
  // Who says when to come back is busy, in whatever words.
  const isBusy = waitMs !== undefined && (found === 'upstream_failed' || found === 'upstream_unauthorized')
  return { code: isBusy ? 'upstream_busy' : found, waitMs }
}

/** What may be said of an error, in whatever words it came. */
export const sentences: Partial<Record<ChatErrorCode, string>> = {
  upstream_busy: 'The model server is busy.',
  upstream_unreachable: 'The model server cannot be reached.',
  upstream_rejected: 'The model server refused to go on with its reply.',
  upstream_unauthorized: 'The model server refuses the key, or its account.',
  upstream_model_missing: 'The model server does not have the model.',
}

/** The error that a server said inside its stream, or in place of one. Its words are the cause, and nothing else. */
export function saidError(error: unknown, own: ErrorWords = []): ChatError {
  const said = typeof error === 'string' ? error : written(error)
  const { code, waitMs } = meant('', said, error, own)
  return new ChatError(code, sentences[code] ?? 'The model server failed in the middle of its reply.', {
    cause: said.slice(0, maxSaid),
    retryable: mayPass(code),
    retryAfterMs: waitMs,
  })
}

function written(error: unknown): string {
  try {
    return JSON.stringify(error)
  } catch {
    return 'an error that nests too deep'
  }
}

/** Whether the same request may succeed later. */
export function mayPass(code: ChatErrorCode): boolean {
  return code !== 'upstream_rejected' && code !== 'upstream_unauthorized' && code !== 'upstream_model_missing'
}
