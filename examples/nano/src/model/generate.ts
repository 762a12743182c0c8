/* oxlint-disable typescript/no-non-null-assertion -- indices are in range by construction, and these are hot loops */
import { tokenIds } from './encoder.ts'
import { contextLength, type Memory, type Model } from './model.ts'
import { fitPrompt, takeLastWord, type Message } from './prompt.ts'
import { sample } from './sample.ts'

/** Prompt tokens that are read between two pauses: about 10 ms of work, so that other conversations are not held up. */
const promptStep = 8

/** How a generation runs. */
export interface GenerateOptions {
  /** Most tokens to make. @defaultValue 512 */
  readonly maxTokens?: number | undefined
  /** @defaultValue 0.4 */
  readonly temperature?: number | undefined
  /** Draw from this many of the best tokens; 0 means from all. @defaultValue 20 */
  readonly topK?: number | undefined
  /** @defaultValue Math.random */
  readonly random?: (() => number) | undefined
  /** Tokens that prompt and answer may take together, at most 1024. @defaultValue 1024 */
  readonly context?: number | undefined
  /** Gives the memory for a prompt; it may hold a beginning of the prompt already. @defaultValue an empty one */
  readonly openMemory?: ((prompt: readonly number[]) => Memory) | undefined
}

/** One step of a generation: a part of the prompt was read, or one token was made. */
export type Piece =
  | { readonly type: 'prompt'; readonly promptTokens: number }
  /** `text` is `''` while a character is incomplete, or while the last word of a continued message is written again. */
  | { readonly type: 'token'; readonly text: string }

/** Why a generation ended: the model said so, or a limit was reached. */
export type EndReason = 'stop' | 'length'

/**
 * Generates the answer to a conversation, or goes on with its trailing assistant message: then only new text comes.
 * Messages that do not fit are dropped from the front.
 * @returns A generator of small steps; leave it to stop. It returns why the answer ended; the end token is a piece too.
 */
export function* generate(
  model: Model,
  messages: readonly Message[],
  options: GenerateOptions = {},
): Generator<Piece, EndReason> {
  const { maxTokens = 512, temperature = 0.4, topK = 20, random = Math.random, context = contextLength } = options
  const { openMemory = () => model.createMemory() } = options
  const sampling = { temperature, topK, random }
  const taken = takeLastWord(messages)
  let owed = taken.owed
  const ids = fitPrompt(model.encode, taken.messages, context - Math.min(maxTokens, context >> 1))

  const memory = openMemory(ids)
  const promptTokens = ids.length
  const last = promptTokens - 1
  while (memory.tokens.length < last) {
    model.read(memory, ids[memory.tokens.length]!)
    if (memory.tokens.length % promptStep === 0) yield { type: 'prompt', promptTokens }
  }
  yield { type: 'prompt', promptTokens }
  let token = ids[last]!

  const decoder = new TextDecoder()
  const spellsOwed = (id: number): boolean => {
    const text = model.texts[id]!
    return text !== '' && (text.startsWith(owed) || owed.startsWith(text))
  }
  for (let made = 0; made < maxTokens && memory.tokens.length + 1 < context; made++) {
    // Logits live in work space that all conversations share, so a step and its choice must not be parted by a yield.
    const logits = model.step(memory, token)
    token = sample(logits, sampling, owed === '' ? null : spellsOwed)
    if (token === tokenIds.end) {
      yield { type: 'token', text: '' }
      return 'stop'
    }
    const text = decoder.decode(model.bytes(token), { stream: true })
    yield { type: 'token', text: text.slice(owed.length) }
    owed = owed.slice(text.length)
  }
  return 'length'
}
