import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** The padding fills up to a multiple of this, bytes: twice what AES wants. */
const blockBytes = 32

/**
 * The key of 43 characters that the console shows, as bytes.
 * @throws {TypeError} When it is none.
 */
export function readAesKey(encoded: string): Buffer {
  const key = Buffer.from(`${encoded}=`, 'base64')
  if (!/^[A-Za-z0-9]{43}$/.test(encoded) || key.length !== 32) {
    throw new TypeError('EncodingAESKey must be 43 letters and digits')
  }
  return key
}

/**
 * The signature of a callback and of a reply: SHA-1 of four texts in order.
 * @see https://developer.work.weixin.qq.com/document/path/91144 (消息体签名校验)
 */
export function signWecom(token: string, timestamp: string, nonce: string, encrypted: string): string {
  return createHash('sha1').update([token, timestamp, nonce, encrypted].toSorted().join('')).digest('hex')
}

/** Tells whether a signature is the right one, in a time that says nothing. */
export function isSameSignature(given: string, expected: string): boolean {
  const one = Buffer.from(given)
  const other = Buffer.from(expected)
  return one.length === other.length && timingSafeEqual(one, other)
}

/** What was in an encrypted message. */
export interface Decrypted {
  readonly text: string
  /** Whom it was meant for: empty for the robots of a company's own. */
  readonly receiveId: string
}

/**
 * Opens a message: 16 random bytes, its length in 4, the message itself, and whom it is for.
 * @returns Undefined when it was not made with this key.
 * @see https://developer.work.weixin.qq.com/document/path/91144 (密文解密得到msg的过程)
 */
export function decryptWecom(key: Buffer, encrypted: string): Decrypted | undefined {
  try {
    const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
    const padded = Buffer.concat([decipher.update(encrypted, 'base64'), decipher.final()])
    const padding = padded.at(-1) ?? 0
    if (padding < 1 || padding > blockBytes || !padded.subarray(-padding).every((byte) => byte === padding)) {
      return undefined
    }
    const end = padded.length - padding
    const start = 20
    const length = padded.readUInt32BE(16)
    if (start + length > end) return undefined
    return {
      text: padded.toString('utf8', start, start + length),
      receiveId: padded.toString('utf8', start + length, end),
    }
  } catch {
    return undefined // not whole blocks, or too short
  }
}

/**
 * Encrypts a message.
 * @param receiveId - Default: empty, as the robots of a company's own have it.
 * @see https://developer.work.weixin.qq.com/document/path/91144 (明文msg的加密过程)
 */
export function encryptWecom(key: Buffer, text: string, receiveId = ''): string {
  const message = Buffer.from(text)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(message.length)
  const plain = Buffer.concat([randomBytes(16), length, message, Buffer.from(receiveId)])
  const padding = blockBytes - (plain.length % blockBytes)
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
  return Buffer.concat([cipher.update(plain), cipher.update(Buffer.alloc(padding, padding)), cipher.final()]).toString(
    'base64',
  )
}
