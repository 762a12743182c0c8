import type { Progress } from '../../wire/events.ts'
import { record, text, type Json } from '../../wire/json.ts'

/** LM Studio's words for how far it has come, as a fraction. */
const stages: Readonly<Record<string, Progress['stage']>> = {
  'model_load.progress': 'loading',
  'prompt_processing.progress': 'prompt',
}

/** How far a server has come before it answers, where a chunk tells: llama.cpp by tokens, LM Studio by a fraction of 1. */
export function openAiProgress(chunk: Json): Progress | undefined {
  const { processed, total } = record(chunk['prompt_progress'])
  if (typeof processed === 'number' && typeof total === 'number') return { stage: 'prompt', done: processed, total }
  const type = text(chunk['type'])
  const stage = Object.hasOwn(stages, type) ? stages[type] : undefined
  const fraction = chunk['progress']
  return stage !== undefined && typeof fraction === 'number' ? { stage, done: fraction, total: 1 } : undefined
}

export function sameProgress(a: Progress, b: Progress | undefined): boolean {
  return a.stage === b?.stage && a.done === b.done && a.total === b.total
}
