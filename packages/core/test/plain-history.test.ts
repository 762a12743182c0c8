import { expect, test } from 'vitest'
import { missingQuestion } from '../src/upstream/history/history.ts'
import { plainHistory, refusesRoles } from '../src/upstream/history/plain-history.ts'
import type { ChatTurn } from '../src/wire/messages.ts'

const system = (content: string): ChatTurn => ({ role: 'system', content })
const user = (content: string): ChatTurn => ({ role: 'user', content })
const reply = (content: string): ChatTurn => ({ role: 'assistant', content })

test.for<[what: string, history: ChatTurn[], plain: ChatTurn[]]>([
  ['a system message', [system('Be brief'), user('q')], [user('Be brief\n\nq')]],
  [
    'several',
    [system('A'), user('q'), reply('r'), system('B'), user('p')],
    [user('A\n\nB\n\nq'), reply('r'), user('p')],
  ],
  ['a system message before a greeting', [system('A'), reply('Hi'), user('q')], [user('A'), reply('Hi'), user('q')]],
  ['a greeting', [reply('Hi'), user('q')], [user(missingQuestion), reply('Hi'), user('q')]],
  ['nothing but a system message', [system('A')], [user('A')]],
  ['a blank one', [system(' \n'), user('q')], [user('q')]],
])('plain history: of %s only users and assistants are left, and a question comes first', ([, history, plain]) => {
  expect(plainHistory(history)).toEqual(plain)
  expect(plainHistory(plain)).toBe(plain)
})

test.for([
  'System role not supported',
  'System role is not supported for this model',
  'Developer instruction is not enabled for models/gemma-3-27b-it',
  "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
  "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
  'This model does not support system messages',
  'Conversation roles must alternate user/assistant/user/assistant/...',
  'Only user and assistant roles are supported!',
  'System message must be at the beginning.',
  'System messages are not allowed',
  'Conversation must start with a user message',
  'First message must have role user',
  "'system' is not one of ['user','assistant'] - 'messages.0.role'",
  '"system" is not one of ["user", "assistant"]',
  "messages.0.role: Input should be 'user' or 'assistant'",
  "messages[0].role: Input should be 'user' or 'assistant' [type=literal_error, input_value='system', input_type=str]",
  "Input should be 'user', 'assistant' or 'tool'",
  "invalid enum value. Expected 'user' | 'assistant', received 'system'",
  "Invalid option: expected one of 'user'|'assistant'",
  'unknown variant `system`, expected `user` or `assistant`',
  'unknown variant `developer`, expected one of `user`, `assistant`, `tool` at line 1 column 60',
  'roles: only user/assistant are accepted',
  'Jinja Exception: Cannot handle system messages',
  "This template doesn't take system prompts",
  "The model can't use a system prompt",
  'expected role user but got system',
  'Chat template error: No system role allowed',
  'No system messages, please',
])('plain history: a template that says "%s" refuses the roles', (said) => {
  expect(refusesRoles(`HTTP 400: ${JSON.stringify({ object: 'error', message: said })}`)).toBe(true)
})

test.for([
  'This model does not support tools',
  "This model's maximum context length is 8192 tokens",
  'The operating system is out of memory',
  'Invalid API key',
  'the system is busy',
  'Cannot handle the file system',
  'no system found',
  "Input should be 'system', 'user' or 'assistant'",
  "role: expected one of 'user', 'assistant', 'system'",
  'unknown variant `robot`, expected one of `user`, `assistant`, `tool`, `system`',
  'the user and the assistant have to pay',
])('plain history: "%s" is no word about roles', (said) => {
  expect(refusesRoles(`HTTP 400: ${JSON.stringify({ error: { message: said } })}`)).toBe(false)
})

test('plain history: words of a megabyte are looked at in their beginning only', () => {
  expect(refusesRoles('system not '.repeat(100_000))).toBe(false)
  expect(refusesRoles(`${'x'.repeat(9_000)} System role not supported`)).toBe(false)
})
