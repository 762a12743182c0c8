import { ChatError, isChatError } from '../../wire/errors.ts'

/** Headers whose values are nobody else's business. */
const secretNames = /authorization|key|token|secret|cookie/i

/**
 * Some servers say the key again that they refuse, and whoever logs a cause must not log that: gives what takes the keys
 * in a request's headers and query out of an error's cause, text or errors. Anything but such an error stays as it is.
 */
export function createRedaction(fields: readonly (readonly [name: string, value: string])[]): <E>(error: E) => E {
  const secrets = fields.flatMap(([name, value]) => (secretNames.test(name) ? words(value) : []))
  return <E>(error: E): E => {
    if (!isChatError(error)) return error
    const { code, message, retryable, retryAfterMs } = error
    const said = saidBy(error.cause)
    const cause = secrets.reduce((safe, secret) => safe.replaceAll(secret, '[key]'), said)
    return cause === said ? error : (new ChatError(code, message, { cause, retryable, retryAfterMs }) as E)
  }
}

/** Of an error what it and its causes say: with a key in it nothing else of it stays. */
function saidBy(cause: unknown): string {
  let said = typeof cause === 'string' ? cause : ''
  // Causes can go round.
  for (let one = cause, i = 0; one instanceof Error && i < 9; one = one.cause, i += 1) said += `${i ? ': ' : ''}${one}`
  return said
}

/** A scheme such as `Bearer` is no secret; what is too short for one would leave nothing of an error. */
function words(value: string): string[] {
  return value.split(/\s+/).filter((word) => word.length > 3 && !/^(basic|bearer|token)$/i.test(word))
}
