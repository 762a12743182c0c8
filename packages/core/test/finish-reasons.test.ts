import { expect, test } from 'vitest'
import { endingOf } from '../src/upstream/reply/finish-reasons.ts'

const said = (reason: string): string => {
  const ending = endingOf(reason)
  if (!ending) return 'none'
  if ('finish' in ending) return ending.finish
  return `${ending.error.code}${ending.error.retryable ? ', again' : ''}${ending.isKnown ? '' : ', unknown'}`
}

test.for<[string, string]>([
  // Sources: the APIs' own lists, and issue threads of clients that met them.
  ['stop STOP eos eos_token end_turn stop_sequence COMPLETE eosFound stopStringFound FinishReason.STOP normal', 'stop'],
  ['length max_tokens MAX_TOKENS max_output_tokens model_length maxPredictedTokensReached token_limit', 'length'],
  ['model_context_window_exceeded contextLengthReached FinishReason.MAX_TOKENS', 'length'],
  ['tool_calls tool_use function_call TOOL_CALL toolCalls', 'tool_calls'],
  [
    'content_filter sensitive refusal SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII guardrail_intervened',
    'upstream_rejected',
  ],
  ['content_filtered ERROR_TOXIC IMAGE_SAFETY', 'upstream_rejected'],
  ['network_error abort cancelled USER_CANCEL userStopped pause_turn TIMEOUT time_limit', 'upstream_incomplete, again'],
  ['insufficient_system_resource', 'upstream_busy, again'],
  ['error ERROR failed', 'upstream_failed, again'],
  ['modelUnloaded', 'upstream_crashed, again'],
  ['MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL malformed_tool_use', 'upstream_malformed, again'],
  ['repetition OTHER', 'upstream_incomplete'],
  ['null not_finished FINISH_REASON_UNSPECIFIED', 'none'],
  ['reason_of_tomorrow toString __proto__ constructor 7 停止', 'upstream_incomplete, unknown'],
])('finish reasons: %s are %s', ([reasons, meaning]) => {
  const expected = Object.fromEntries(reasons.split(' ').map((reason) => [reason, meaning]))
  expect(Object.fromEntries(reasons.split(' ').map((reason) => [reason, said(reason)]))).toEqual(expected)
})

test('finish reasons: white space around one is no part of it, and blank is none', () => {
  expect([' stop ', 'max tokens', '', '  '].map(said)).toEqual(['stop', 'length', 'none', 'none'])
})

test('finish reasons: those of a dialect go before what is known of all, by their own spelling', () => {
  const own = { Budget: 'length', sensitive: 'stop' } as const
  expect(endingOf('Budget', own)).toEqual({ finish: 'length' })
  expect(endingOf('sensitive', own)).toEqual({ finish: 'stop' })
  expect(endingOf('budget', own)).toMatchObject({ isKnown: false })
})

test('finish reasons: a reason of a megabyte is unknown, and its cause is short', () => {
  const ending = endingOf('stop '.repeat(200_000))
  expect(ending).toMatchObject({ error: { code: 'upstream_incomplete' }, isKnown: false })
  expect(String(ending && 'error' in ending && ending.error.cause).length).toBeLessThan(300)
})
