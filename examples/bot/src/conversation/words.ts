import type { ErrorBody } from '@midstream/core'

/** What the robot says itself. */
export interface Words {
  readonly stopped: string
  readonly noRoom: string
  readonly lengthReached: string
  readonly noAnswer: string
  readonly failed: (error: ErrorBody | undefined, hasText: boolean) => string
  readonly onlyText: string
  readonly stopsNow: string
  readonly nothingRuns: string
  readonly stillRuns: string
  readonly startsAnew: string
  readonly expired: string
  /** Title of a message in the list of chats. */
  readonly title: string
}

const reasonsZh: Partial<Record<ErrorBody['code'], string>> = {
  upstream_unreachable: '模型服务器连不上',
  upstream_busy: '模型服务器太忙',
  upstream_stalled: '模型中途没有了声音',
  upstream_silent: '模型一直没有回答',
  upstream_model_missing: '模型服务器上没有这个模型',
  upstream_unauthorized: '模型服务器不接受网关的密钥，或账户已无余额',
  overloaded: '现在问的人太多',
  shutting_down: '机器人正在重启',
}
const reasonsEn: Partial<Record<ErrorBody['code'], string>> = {
  upstream_unreachable: 'the model server cannot be reached',
  upstream_busy: 'the model server is too busy',
  upstream_stalled: 'the model fell silent',
  upstream_silent: 'the model never answered',
  upstream_model_missing: 'the model server does not have this model',
  upstream_unauthorized: 'the model server refuses the key of the gateway, or its account',
  overloaded: 'too many people are asking right now',
  shutting_down: 'the robot is restarting',
}

const zh: Words = {
  stopped: '（已停止）',
  noRoom: '（一条消息放不下了，发“继续”接着说）',
  lengthReached: '（到了长度上限，发“继续”接着说）',
  noAnswer: '（模型没有给出回答）',
  failed: (error, hasText) =>
    `（出错了：${(error && reasonsZh[error.code]) ?? '模型服务器出了问题'}。${hasText ? '以上是已收到的部分，发“继续”接着说' : '请稍后再问'}）`,
  onlyText: '我只能看懂文字消息。',
  stopsNow: '好的，已停止。',
  nothingRuns: '现在没有正在进行的回答。',
  stillRuns: '我还在说呢。',
  startsAnew: '好的，重新开始。',
  expired: '（这条回答已经找不到了，请再问一次）',
  title: '回答',
}

const en: Words = {
  stopped: '(stopped)',
  noRoom: '(too long for one message: say "continue" to go on)',
  lengthReached: '(the length limit is reached: say "continue" to go on)',
  noAnswer: '(the model gave no answer)',
  failed: (error, hasText) =>
    `(Something went wrong: ${(error && reasonsEn[error.code]) ?? 'the model server failed'}. ${hasText ? 'This is what came before; say "continue" to go on' : 'Please ask again later'}.)`,
  onlyText: 'I can only read text.',
  stopsNow: 'All right, stopped.',
  nothingRuns: 'Nothing is being answered right now.',
  stillRuns: 'I am still at it.',
  startsAnew: 'All right, from the start.',
  expired: '(This answer is gone; please ask again.)',
  title: 'Answer',
}

/** The languages that the robot's own sentences come in. */
export const languages: { readonly zh: Words; readonly en: Words } = { zh, en }

/** What is said to the robot rather than to the model. */
export type Command = 'stop' | 'continue' | 'clear'

const commands: Readonly<Record<Command, RegExp>> = {
  stop: /^(停|停止|停下|别说了|stop)$/i,
  continue: /^(继续|接着说|continue|go on)$/i,
  clear: /^(新对话|重新开始|new|new chat|\/new|\/clear)$/i,
}

/** Reads a command, in either language. */
export function readCommand(text: string): Command | undefined {
  const word = text.trim().replace(/[。.!！~]+$/u, '')
  return (['stop', 'continue', 'clear'] as const).find((name) => commands[name].test(word))
}
