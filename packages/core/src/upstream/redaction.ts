import { ChatError, isChatError } from '../wire/errors.ts'

/** Headers whose values are nobody else's business. */
const secretNames = /authorization|key|token|secret|cookie/i

/**
 * Some servers say the key again that they refuse, and whoever logs a cause must not log that: gives what takes the keys
 * in a request's headers out of an error's cause. Anything but such an error stays as it is.
 */
export function createRedaction(headers: Readonly<Record<string, string>>): <E>(error: E) => E {
  const secrets = Object.entries(headers).flatMap(([name, value]) => (secretNames.test(name) ? words(value) : []))
  return <E>(error: E): E => {
    if (!isChatError(error) || typeof error.cause !== 'string') return error
    const { code, message, retryable, retryAfterMs, cause } = error
    const safe = secrets.reduce((said, secret) => said.replaceAll(secret, '[key]'), cause)
    return safe === cause ? error : (new ChatError(code, message, { cause: safe, retryable, retryAfterMs }) as E)
  }
}

/** A scheme such as `Bearer` is no secret; what is too short for one would leave nothing of an error. */
function words(value: string): string[] {
  return value.split(/\s+/).filter((word) => word.length > 3 && !/^(basic|bearer|token)$/i.test(word))
}
