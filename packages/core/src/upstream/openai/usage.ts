import type { Usage } from '../../wire/events.ts'
import { isRecord, record, type Json } from '../../wire/json.ts'
import { countedUsage, figure } from '../reply/counted-usage.ts'

/** OpenAI pads its chunks, so that nobody tells a text by its length. Others count in each of them. */
export const stamps: readonly string[] = /* @__PURE__ */ (
  'obfuscation created cache_n prompt_n prompt_ms prompt_per_token_ms prompt_per_second predicted_n predicted_ms ' +
  'predicted_per_token_ms predicted_per_second draft_n draft_n_accepted prompt_tokens completion_tokens total_tokens'
).split(' ')

/**
 * What a chunk counted, wherever its server says it: OpenAI's usage beside the choices, Groq's and Moonshot's elsewhere, other
 * names of the same figures, and the timings of llama.cpp. The same object as before where it says nothing new.
 */
export function usageOf(chunk: Json, choice: Json, before: Usage | undefined): Usage | undefined {
  const { usage, x_groq: groq, usage_metadata: metadata, usageMetadata, message, timings } = chunk
  const counted =
    counts(usage) ??
    counts(record(groq)['usage']) ??
    counts(choice['usage']) ??
    counts(record(choice['message'])['usage']) ??
    counts(record(choice['delta'])['usage']) ??
    counts(record(message)['usage']) ??
    counts(metadata) ??
    counts(usageMetadata)
  if (counted) return countedUsage(counted.prompt, counted.completion, before)
  const { cache_n: cached, prompt_n: read, predicted_n: predicted } = record(timings)
  if (typeof read !== 'number' || typeof predicted !== 'number') return before
  return countedUsage(read + (typeof cached === 'number' ? cached : 0), predicted, before)
}

const promptNames = ['prompt_tokens', 'input_tokens', 'promptTokenCount', 'promptTokens', 'inputTokens']
const completionNames = [
  'completion_tokens',
  'output_tokens',
  'candidatesTokenCount',
  'completionTokens',
  'outputTokens',
  'generated_tokens',
]

function counts(place: unknown): { readonly prompt: unknown; readonly completion: unknown } | undefined {
  if (!isRecord(place)) return undefined
  const [prompt, completion] = [promptNames, completionNames].map((names) =>
    names.map((name) => figure(place[name])).find((value) => value !== undefined),
  )
  return prompt === undefined && completion === undefined ? undefined : { prompt, completion }
}
