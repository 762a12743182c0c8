import { createHmac, timingSafeEqual } from 'node:crypto'

/** What is older, or younger, is refused, ms. */
const maxAgeMs = 3_600_000

/**
 * The signature of a callback: HMAC-SHA256, in base64, of its time and the secret.
 * @see https://open.dingtalk.com/document/isvapp/receive-message (HTTP header 参数)
 */
export function signDingtalk(timestamp: string, secret: string): string {
  return createHmac('sha256', secret).update(`${timestamp}\n${secret}`).digest('base64')
}

/**
 * Tells whether a callback comes from DingTalk, and lately. The signature covers its time alone and not its body.
 * @param now - Epoch milliseconds.
 */
export function isFromDingtalk(timestamp: string | null, sign: string | null, secret: string, now: number): boolean {
  if (timestamp === null || sign === null || !/^\d{13}$/.test(timestamp)) return false
  const expected = Buffer.from(signDingtalk(timestamp, secret))
  const given = Buffer.from(sign)
  const isSame = given.length === expected.length && timingSafeEqual(given, expected)
  return isSame && Math.abs(now - Number(timestamp)) <= maxAgeMs
}
