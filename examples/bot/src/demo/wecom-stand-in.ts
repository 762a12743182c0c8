import { randomUUID } from 'node:crypto'
import { parseObject } from '../platform.ts'
import { decryptWecom, encryptWecom, readAesKey, signWecom } from '../wecom/crypt.ts'

/** A callback to post: its query and its body. */
export interface WecomCallback {
  readonly query: string
  readonly body: string
}

/** What the robot replied: a stream as it stands. */
export interface WecomStream {
  readonly id: string
  readonly finish: boolean
  readonly content: string
}

/** WeCom, as far as the robot knows it. */
export interface WecomStandIn {
  /** The callback that somebody's words in a group cause. */
  say(text: string, change?: Readonly<Record<string, unknown>>): WecomCallback
  /** The callback that asks how a stream stands. */
  refresh(id: string): WecomCallback
  /** The query of the request that checks the address of the robot. */
  check(echo: string): string
  /** Opens a reply. @throws {Error} When its signature is wrong or it is no stream. */
  open(reply: string): WecomStream
}

/** Creates a stand-in for one robot in one group. */
export function wecomStandIn(
  robot: { readonly token: string; readonly aesKey: string },
  now: () => number,
): WecomStandIn {
  const key = readAesKey(robot.aesKey)

  const signed = (encrypted: string): URLSearchParams => {
    const timestamp = String(Math.floor(now() / 1_000))
    const nonce = randomUUID()
    return new URLSearchParams({ msg_signature: signWecom(robot.token, timestamp, nonce, encrypted), timestamp, nonce })
  }
  const callback = (message: object): WecomCallback => {
    const encrypt = encryptWecom(key, JSON.stringify(message))
    return { query: signed(encrypt).toString(), body: JSON.stringify({ encrypt }) }
  }
  const about = { aibotid: 'AIBOTID', chatid: 'CHATID', chattype: 'group', from: { userid: 'USERID' } }
  return {
    say: (text, change = {}) =>
      callback({
        msgid: randomUUID(),
        ...about,
        response_url: 'https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=STANDIN',
        msgtype: 'text',
        text: { content: `@Robot ${text}` },
        ...change,
      }),
    refresh: (id) => callback({ msgid: randomUUID(), ...about, msgtype: 'stream', stream: { id } }),
    check(echo) {
      const echostr = encryptWecom(key, echo)
      const query = signed(echostr)
      query.set('echostr', echostr)
      return query.toString()
    },
    open(reply) {
      const sealed = parseObject(reply) ?? {}
      const encrypt = String(sealed['encrypt'])
      const expected = signWecom(robot.token, String(sealed['timestamp']), String(sealed['nonce']), encrypt)
      if (sealed['msgsignature'] !== expected) throw new Error('the signature of the reply is wrong')
      const message = parseObject(decryptWecom(key, encrypt)?.text ?? '')
      if (message?.['msgtype'] !== 'stream') throw new Error('the reply is no stream')
      return message['stream'] as WecomStream
    },
  }
}
