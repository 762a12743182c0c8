import type { Words } from './words.ts'

export const en: Words = {
  heading: 'Chat',
  greeting: 'Hello! Ask a question, and cut in whenever you like.',
  placeholder: 'Your question…',
  you: 'You',
  assistant: 'Assistant',
  unread: 'new answer',
  close: 'Close',
  clear: 'New chat',
  send: 'Send',
  stop: 'Stop',
  continue: 'Continue',
  retry: 'Try again',
  note: {
    waiting: 'The answer is on its way…',
    reconnecting: 'Reconnecting…',
    stopped: 'Stopped',
    at_limit: 'Stopped at the length limit',
    unreachable: 'The chat cannot be reached right now.',
    too_long: 'This has grown too long. Start a new chat.',
    failed: 'The answer could not be finished. Try again in a moment.',
  },
}
