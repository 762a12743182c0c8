import type { ChatErrorCode, InterruptOutcome } from '@midstream/core'
import type { ChatMessage } from '../message.ts'
import { cutReply, type ActiveRun } from './active-run.ts'
import type { Ask } from './kept-chat.ts'

/** A run to end, and how much of it the person has seen; without a position, all of it. */
export type Interrupts = NonNullable<Ask['interrupts']>

/** A reply that a person cut off. */
export interface Frozen {
  readonly ends: Interrupts
  readonly reply: ChatMessage
  readonly run: ActiveRun
}

/** The reply as the gateway has it: cut back further, longer than a page that was behind knew, or whole after all. */
export function confirmed({ ends, reply: frozen, run }: Frozen, answer: InterruptOutcome): ChatMessage {
  const { reason, position, partial, continues } = answer
  const { before } = run
  const content =
    partial.content === '' ? before.content : before.content.slice(0, continues?.position) + partial.content
  const thinking = (before.thinking ?? '') + (partial.thinking ?? '') || undefined
  const isCut = ends.position !== undefined
  const reply = isCut
    ? cutReply(frozen, run, position)
    : { ...frozen, content, thinking, toolCalls: partial.tool_calls }
  if (reason === 'interrupted' || reason === 'error') return reply
  return reply.content === content ? { ...reply, state: 'done', reason } : reply
}

/** A message as it goes up: what is shown, and that a person cut it off. */
export function toTurn({ role, content, state, thinking, toolCalls }: ChatMessage): object[] {
  if (content === '' && !toolCalls) return []
  const interrupted = state === 'interrupted' || undefined
  // Servers want the thinking back only with a tool call (providers differ); without one it is dead weight.
  return [{ role, content, interrupted, tool_calls: toolCalls, thinking: toolCalls && thinking }]
}

/** The gateway ended the run while nobody was connected, or does not know it any more; the text is here. */
const lost: ReadonlySet<ChatErrorCode | undefined> = /* @__PURE__ */ new Set([
  'orphaned',
  'shutting_down',
  'not_found',
  'expired',
] as const)

/** Tells whether a reply broke off through nobody's doing, so that it may go on by itself. */
export function isLost({ content, state, toolCalls, error }: ChatMessage): boolean {
  return (content !== '' || state === 'dropped') && !toolCalls && lost.has(error?.code)
}
