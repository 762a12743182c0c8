import type { ErrorBody } from '@midstream/client'

/** What can go wrong, as far as the difference matters to a person. */
export type Problem =
  | 'gateway_gone'
  | 'dropped'
  | 'shutting_down'
  | 'refused'
  | 'busy'
  | 'forgotten'
  | 'message_too_long'
  | 'answer_too_long'
  | 'server_gone'
  | 'model_missing'
  | 'silent'
  | 'failed'

const problems: Readonly<Record<ErrorBody['code'], Problem>> = {
  bad_request: 'refused',
  unsupported_content: 'refused',
  model_not_allowed: 'model_missing',
  option_not_allowed: 'refused',
  unauthorized: 'refused',
  origin_not_allowed: 'refused',
  host_not_allowed: 'refused',
  not_found: 'forgotten',
  method_not_allowed: 'refused',
  session_busy: 'busy',
  run_conflict: 'forgotten',
  expired: 'forgotten',
  too_large: 'message_too_long',
  too_many_messages: 'message_too_long',
  too_many_readers: 'busy',
  too_many_runs: 'busy',
  overloaded: 'busy',
  shutting_down: 'shutting_down',
  internal: 'failed',
  breaker_open: 'server_gone',
  upstream_unreachable: 'server_gone',
  upstream_busy: 'busy',
  upstream_model_missing: 'model_missing',
  upstream_unauthorized: 'failed',
  upstream_rejected: 'failed',
  upstream_failed: 'failed',
  upstream_crashed: 'failed',
  upstream_incomplete: 'failed',
  upstream_malformed: 'failed',
  upstream_stalled: 'silent',
  upstream_silent: 'silent',
  overflow: 'answer_too_long',
  run_too_long: 'answer_too_long',
  network: 'gateway_gone',
  headers_failed: 'refused',
  orphaned: 'dropped',
  dropped: 'dropped',
  storage_failed: 'failed',
  stored_invalid: 'failed',
  extension_failed: 'failed',
  closed: 'failed',
}

/** The problem behind an error. A newer gateway may send codes that this page does not know. */
export function problemOf(code: ErrorBody['code']): Problem {
  return Object.hasOwn(problems, code) ? problems[code] : 'failed'
}
