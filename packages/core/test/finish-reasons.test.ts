import { expect, test } from 'vitest'
import { endingOf, reasonIn } from '../src/upstream/reply/finish-reasons.ts'

const said = (reason: string): string => {
  const ending = endingOf(reason)
  if (!ending) return 'none'
  if ('finish' in ending) return ending.finish
  return `${ending.error.code}${ending.error.retryable ? ', again' : ''}${ending.isKnown ? '' : ', unknown'}`
}

test.for<[string, string]>([
  // Sources: the APIs' own lists, and issue threads of clients that met them.
  ['stop STOP eos eos_token end_turn stop_sequence COMPLETE eosFound stopStringFound FinishReason.STOP normal', 'stop'],
  [
    '<|im_end|> <|endoftext|> <|eot_id|> <|eom_id|> </s> <eos> <|end|> <end_of_turn> <|end_of_text|> <｜end▁of▁sentence｜> [EOS] <|return|> <|END_OF_TURN_TOKEN|>',
    'stop',
  ],
  ['endoftext STOP_CRITERIA_MET FINISHED stopped_eos succeeded EOS_TOKEN_ID eosTokenId', 'stop'],
  ['stopped_limit context max_output', 'length'],
  ['length max_tokens MAX_TOKENS max_output_tokens model_length maxPredictedTokensReached token_limit', 'length'],
  ['model_context_window_exceeded contextLengthReached FinishReason.MAX_TOKENS', 'length'],
  ['tool_calls tool_use function_call TOOL_CALL toolCalls <|call|>', 'tool_calls'],
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
  ['reason_of_tomorrow toString __proto__ constructor 7 停止 <|im_start|> <|user|>', 'upstream_incomplete, unknown'],
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

test.for<[unknown, string]>([
  ['stop', 'stop'],
  [['stop'], 'stop'],
  [[null, 'length'], 'length'],
  [{ type: 'stop', matched: 128_009 }, 'stop'],
  [{ reason: 'MAX_TOKENS' }, 'length'],
  [{ type: { name: 'stop' } }, 'stop'],
  [1, 'upstream_incomplete, unknown'],
  [true, 'upstream_incomplete, unknown'],
  [{ matched: 7 }, 'upstream_incomplete, unknown'],
  [['of', 'tomorrow'], 'upstream_incomplete, unknown'],
  [0, 'none'],
  [false, 'none'],
  [null, 'none'],
  [{}, 'none'],
  [[], 'none'],
  [[[[['stop']]]], 'none'],
])('finish reasons: %j in place of a word is %s', ([given, meaning]) => {
  expect(said(reasonIn([{ finish_reason: given }]))).toBe(meaning)
})

test.for(['finish_reason', 'finishReason', 'finish_details', 'stop_reason', 'stopReason', 'done_reason'])(
  'finish reasons: one in the field %s of any place counts, the first that says something',
  (name) => {
    expect(reasonIn([{ [name]: 'length' }])).toBe('length')
    expect(reasonIn([{ finish_reason: null }, {}, { [name]: 'length' }])).toBe('length')
    expect(reasonIn([{ finish_reason: 'stop' }, { [name]: 'length' }])).toBe('stop')
  },
)

test('finish reasons: beside a reason, the token that vLLM stopped at is none', () => {
  expect(reasonIn([{ finish_reason: 'stop', stop_reason: 128_009 }])).toBe('stop')
  expect(reasonIn([{ finish_reason: null, stop_reason: null }])).toBe('')
})

test('finish reasons: a word that a dialect knows counts, also where it is none to all others', () => {
  expect(reasonIn([{ finish_reason: 'none' }], { none: 'stop' })).toBe('none')
})
