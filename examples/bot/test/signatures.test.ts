import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { isFromDingtalk, signDingtalk } from '../src/dingtalk/signature.ts'
import { decryptWecom, encryptWecom, isSameSignature, readAesKey, signWecom } from '../src/wecom/crypt.ts'

// The time and the secret of https://open.dingtalk.com/document/isvapp/receive-message; the page does not print the
// result, which is from Python's hmac.
const timestamp = '1577262236757'
const secret = 'this is a secret'
const sign = 'DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA='

test('dingtalk signature: is that of the documented time and secret', () => {
  expect(signDingtalk(timestamp, secret)).toBe(sign)
  expect(createHmac('sha256', secret).update(`${timestamp}\n${secret}`).digest('base64')).toBe(sign)
})

test('dingtalk signature: is good for an hour, in both directions', () => {
  const at = Number(timestamp)
  expect(isFromDingtalk(timestamp, sign, secret, at)).toBe(true)
  expect(isFromDingtalk(timestamp, sign, secret, at + 3_600_000)).toBe(true)
  expect(isFromDingtalk(timestamp, sign, secret, at + 3_600_001)).toBe(false)
  expect(isFromDingtalk(timestamp, sign, secret, at - 3_600_001)).toBe(false)
})

test.for([
  ['no time', null, sign],
  ['no signature', timestamp, null],
  ['an empty signature', timestamp, ''],
  ['another signature', timestamp, sign.replace('D', 'E')],
  ['a longer signature', timestamp, `${sign}=`],
  ['another time', '1577262236758', sign],
  ['a time that is no number', 'NaN', signDingtalk('NaN', secret)],
] as const)('dingtalk signature: %s is refused', ([, time, given]) => {
  expect(isFromDingtalk(time, given, secret, Number(timestamp))).toBe(false)
})

// The example of https://developer.work.weixin.qq.com/document/path/91144 (举例说明), whole.
const documented = {
  receiveId: 'wx5823bf96d3bd56c7',
  token: 'QDG6eK',
  aesKey: 'jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C',
  timestamp: '1409659813',
  nonce: '1372623149',
  signature: '477715d11cdb4164915debcba66cb864d751f3e6',
  encrypted:
    'RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==',
}

test('wecom signature: is that of the documented callback', () => {
  const { token, timestamp: time, nonce, encrypted, signature } = documented
  expect(signWecom(token, time, nonce, encrypted)).toBe(signature)
  const sorted = `${nonce}${time}${token}${encrypted}`
  expect(createHash('sha1').update(sorted).digest('hex')).toBe(signature)
  expect(isSameSignature(signature, signature)).toBe(true)
  expect(isSameSignature(signature.replace('4', '5'), signature)).toBe(false)
  expect(isSameSignature('', signature)).toBe(false)
})

test('wecom encryption: the documented callback opens to the documented message', () => {
  const opened = decryptWecom(readAesKey(documented.aesKey), documented.encrypted)
  expect(opened?.receiveId).toBe(documented.receiveId)
  expect(opened?.text).toContain('<Content><![CDATA[hello]]></Content>')
  expect(opened?.text).toContain('<FromUserName><![CDATA[mycreate]]></FromUserName>')
})

// The address check of WeCom's own sample code.
test('wecom encryption: the echo of the sample opens', () => {
  const echo = 'P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=='
  expect(signWecom('QDG6eK', '1409659589', '263014780', echo)).toBe('5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3')
  expect(decryptWecom(readAesKey(documented.aesKey), echo)?.text).toBe('1616140317555161061')
})

const key = readAesKey(documented.aesKey)

test('wecom encryption: what is encrypted opens again, at every length of a block', () => {
  for (let length = 0; length < 70; length++) {
    const text = '字'.repeat(length)
    const encrypted = encryptWecom(key, text)
    expect(Buffer.from(encrypted, 'base64').length % 32).toBe(0)
    expect(decryptWecom(key, encrypted)).toEqual({ text, receiveId: '' })
  }
})

test('wecom encryption: the layout is 16 random bytes, a length, the message, and padding to 32', () => {
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
  const plain = Buffer.concat([decipher.update(encryptWecom(key, 'hello', 'id'), 'base64'), decipher.final()])
  expect(plain.readUInt32BE(16)).toBe(5)
  expect(plain.toString('utf8', 20, 27)).toBe('helloid')
  expect([...plain.subarray(27)]).toEqual([5, 5, 5, 5, 5])
})

const sealed = (plain: Buffer): string => {
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
  return Buffer.concat([cipher.update(plain), cipher.final()]).toString('base64')
}
const tooLong = Buffer.alloc(32, 4)
tooLong.writeUInt32BE(4_000, 16)

test.for([
  ['nothing', ''],
  ['what is no base64', '%%%%'],
  ['half a block', Buffer.alloc(24).toString('base64')],
  ['what was made with another key', encryptWecom(readAesKey('a'.repeat(43)), 'hello')],
  ['a padding of 0', sealed(Buffer.alloc(32, 0))],
  ['a padding of 33', sealed(Buffer.alloc(64, 33))],
  ['a padding that is not the same throughout', sealed(Buffer.concat([Buffer.alloc(31, 1), Buffer.from([9])]))],
  ['a length beyond the end', sealed(tooLong)],
] as const)('wecom encryption: %s is refused', ([, encrypted]) => {
  expect(decryptWecom(key, encrypted)).toBeUndefined()
})

test('wecom key: only 43 letters and digits are one', () => {
  expect(() => readAesKey('short')).toThrow(TypeError)
  expect(() => readAesKey('-'.repeat(43))).toThrow(TypeError)
  expect(readAesKey('a'.repeat(43))).toHaveLength(32)
})
