// Long: the state of one reply is read and changed by each place in which servers write its text and its calls.
import type { ChatError } from '../../wire/errors.ts'
import type { FinishReason, Progress, Usage } from '../../wire/events.ts'
import type { AnswerFacts } from './dialect.ts'
import { createSseFrames } from '../reply/sse-frames.ts'
import { list, parsedJson, record, text, type Json } from '../../wire/json.ts'
import { bandError, isBandError } from './errors.ts'
import type { ReplyDecoder } from '../reply/ask-reply.ts'
import { decodeFrames } from '../reply/decode-frames.ts'
import { endingOf, reasonIn } from '../reply/finish-reasons.ts'
import { brokenCall, incompleteReply } from '../reply/reply-errors.ts'
import { openAiProgress, sameProgress } from '../reply/progress.ts'
import { callsOf, createChoice, type Chosen } from '../reply/choice.ts'
import { hasLostWords, hasWords } from '../reply/lost-words.ts'
import { asDelta, contentBeside, contentOf, typedDelta, unwrapped, wholeOf } from '../reply/places.ts'
import { isDone } from '../reply/readable.ts'
import { callsIn, isCallType, looksLikeCall } from '../reply/call-shapes.ts'
import { allCalls } from './all-calls.ts'
import { contentEvents } from '../reply/said.ts'
import { thinkingBeside, thinkingIn } from '../reply/thinking-fields.ts'
import { createMessageOpaque } from '../reply/message-opaque.ts'
import { createSaidText } from '../reply/said-text.ts'
import { createToolFragments, type FragmentsOptions } from '../reply/tool-fragments.ts'
import type { UpstreamEvent } from '../upstream.ts'
import { stamps, usageOf } from './usage.ts'

/**
 * Decodes the chunks of every server of OpenAI's kind: what differs between them is read in all its shapes, a whole answer in
 * one piece of JSON among them.
 *
 * A `finish_reason` is the evidence of success. Its event waits for `[DONE]` or the end of the body, so that an error, a call or
 * text, said meanwhile, still counts. `[DONE]` without it is a failure.
 */
export function createOpenAiDecoder(
  options: FragmentsOptions & { readonly maxChars?: number | undefined } = {},
  facts: AnswerFacts = {},
): ReplyDecoder {
  const { finishReasons = {}, errors } = facts
  const own = facts.thinkingFields ?? []
  let isThinkingInPieces = false
  const sse = createSseFrames({ maxChars: options.maxChars })
  const calls = createToolFragments(options)
  /** Those said elsewhere, of which some may be the same; and those of another choice, which count where this one has none. */
  const besides = createToolFragments(options)
  const others = createToolFragments(options)
  /** The chunk has said something of a call. */
  let isCalling = false
  /** The first one with what may be a call, in a place where nobody knows to look. */
  let uncalled: string | undefined
  const choose = createChoice()
  /** What has been said of the reply, and whether in pieces: what then says the whole of it again says nothing new. */
  let said = false
  let isInPieces = false
  let hasText = false
  const heard = createSaidText()
  const attached = createMessageOpaque()
  /** Where its text stands, and whether each frame says all of it so far. */
  let textPlace: TextPlace = 'delta'
  let isCumulative = false
  /** The last choice that said something, and the first frame that said nothing and has words in it. */
  let saying: Json | undefined
  let unheard: string | undefined
  let reason: FinishReason | undefined
  /** The end of a reply whose reason nobody knows, unless a later chunk says another one. */
  let unknown: ChatError | undefined
  let usage: Usage | undefined
  let toldUsage: Usage | undefined
  let progress: Progress | undefined
  let told: Progress | undefined
  let finished = false
  let [hadProgress, hadText] = [progress, hasText]
  /** Something was the rest of a whole: of the next frame like it, all may be said already. */
  let hasRest = false
  /** The last frame that was read by one like it, and counts something. */
  let counted: string | undefined

  const fail = (error: ChatError): UpstreamEvent => {
    finished = true
    return { error }
  }
  const finish = (): UpstreamEvent[] => {
    if (finished) return []
    if (reason === undefined) return unknown ? [fail(unknown)] : []
    count()
    const { whole: given, broken } = allCalls(calls, besides, others)
    const whole = options.from === undefined ? given : attached.onto(given, options.from)
    const isCut = reason === 'length'
    const lost = broken ?? (whole.length > 0 || reason !== 'tool_calls' ? undefined : `finish_reason ${reason}`)
    // Without the calls: what has been called for must not be generated again.
    if (lost !== undefined && !isCut) return [fail(brokenCall(lost))]
    finished = true
    const missed = whole.length > 0 ? undefined : (uncalled ?? (hasText ? undefined : unheard))
    const hole: UpstreamEvent[] = missed === undefined ? [] : [{ malformed: missed }]
    const end = isCut ? 'length' : whole.length > 0 ? 'tool_calls' : 'stop'
    return [...hole, ...whole.map((call) => ({ tool_call: call })), { finish: end, ...(usage && { usage }) }]
  }
  const done = (mark: string, events: UpstreamEvent[]): void => {
    if (said && facts.proof === '[DONE]' && reason === undefined) over('stop', events)
    if (reason !== undefined || unknown) events.push(...finish())
    // Whoever reads the reply judges an end without evidence; without a word it is a failure.
    else if (!finished && said) {
      pushCounts(events)
      finished = true
    } else if (!finished) events.push(fail(incompleteReply(`${mark.slice(0, 20)} came first`)))
  }
  const decode = (given: Json, event: string | undefined, events: UpstreamEvent[]): void => {
    if (isBandError(given, event)) return void events.push(fail(bandError(given, errors)))
    const before = events.length
    isCalling = false
    count()
    const chunk = unwrapped(given)
    const isSettled = hasText || calls.pending() + besides.pending() > 0
    const chosen = choose(chunk['choices'] ?? chunk['candidates'], said, isSettled)
    // Without choices the chunk is the answer, unless it is an event of another kind.
    const isTyped = !chosen && chunk['type'] !== undefined
    const answer = isTyped ? {} : chunk
    // A message beside the choices that is a text is a notice.
    const choice =
      chosen?.choice ?? (typeof answer['message'] === 'string' ? { ...answer, message: undefined } : answer)
    usage = usageOf(chunk, choice, usage)
    if (chunk !== given) usage = usageOf(given, choice, usage)
    const says = isTyped
      ? pushPiece(typedDelta(chunk) ?? {}, events)
      : pushChoice(choice, chosen ? 'choice' : 'frame', events) ||
        (chosen !== undefined && pushText(contentBeside(chunk), 'frame', events))
    if (says) saying = choice
    if (!says && !isTyped && !isThinkingInPieces) pushThinking([choice, chunk], events)
    pushBesides(choice, chosen, chunk)
    if (!isCalling && uncalled === undefined && looksLikeCall(given)) uncalled = JSON.stringify(given).slice(0, 200)
    const told = openAiProgress(chunk)
    progress = told ?? progress
    const ends = [chosen?.ending ?? choice, record(choice['delta']), record(choice['message']), answer]
    over(reasonIn([...ends, record(answer['details'])], finishReasons), events)
    if (!says && !isCalling && !told && !finished && events.length === before) lose(chosen?.choice, chunk, events)
  }
  /** What says nothing to anybody, and has words in it: where text is looked for, or anywhere, while the reply has none. */
  const lose = (choice: Json | undefined, chunk: Json, events: UpstreamEvent[]): void => {
    const isNear = choice ?? ['type', 'event', 'status', 'usage'].every((name) => chunk[name] === undefined)
    if (isNear && hasLostWords(choice ?? chunk, saying)) events.push({ malformed: JSON.stringify(chunk).slice(0, 200) })
    else if (unheard === undefined && hasWords(chunk)) unheard = JSON.stringify(chunk).slice(0, 200)
  }
  const count = (): void => {
    if (counted === undefined) return
    const chunk = record(parsedJson(counted))
    counted = undefined
    usage = usageOf(chunk, record(list(chunk['choices'])[0]), usage)
  }
  /** What one read has changed beyond the reply: once, however many chunks it held. */
  const pushCounts = (events: UpstreamEvent[]): void => {
    count()
    if (finished || reason !== undefined) return
    if (progress && !sameProgress(progress, told)) events.push({ progress: (told = progress) })
    if (usage && usage !== toldUsage) events.push({ usage: (toldUsage = usage) })
  }
  /**
   * The text of a choice stands in its delta, in its message, or beside them; the first that says something counts.
   * @returns Whether it says something.
   */
  const pushChoice = (choice: Json, place: TextPlace, events: UpstreamEvent[]): boolean => {
    const { delta, message } = choice
    const before = events.length
    const isPiece = pushPiece(asDelta(delta), events)
    if (!isPiece && !isInPieces && pushMessage(asDelta(message), reasonIn([choice]) !== '', events)) return true
    const says =
      isPiece ||
      pushText(contentBeside(message === undefined ? choice : { ...choice, content: undefined }), place, events)
    // Said in pieces, and what is missing stands in the whole of it only.
    const isCall = pushCalls(record(message), besides)
    const isKnown = isInPieces && pushRest(wholeOf(choice), says, events)
    return says || isCall || isKnown || events.length > before
  }
  /** A text beside the deltas: a piece, or all of the reply again, where that was said elsewhere. */
  const pushText = (content: unknown, place: TextPlace, events: UpstreamEvent[]): boolean => {
    const rest = hasText && textPlace !== place ? heard.beyond(wordsOf(content)) : undefined
    const isShort = rest === '' && wordsOf(content).trim() !== '' && !heard.isLong()
    if (rest === undefined || (isShort && heard.beyond(wordsOf(content), true) === undefined)) {
      const before = events.length
      const says = pushPiece({ content }, events)
      if (events.slice(before).some((event) => 'message' in event)) textPlace = place
      return says
    }
    return pushRest(content, true, events)
  }
  /** A message may be a piece, as a delta is, or all of the reply so far. */
  const pushMessage = (message: Json, isEnd: boolean, events: UpstreamEvent[]): boolean => {
    const whole = wordsOf(contentOf(message))
    const rest = hasText && textPlace === 'message' && whole !== '' ? heard.beyond(whole, true) : undefined
    const isGrowing = rest !== undefined && (rest !== '' || isEnd || isCumulative)
    if (isGrowing) isCumulative = hasRest = true
    const before = events.length
    const given = isGrowing ? { ...message, ...noTexts, content: rest } : message
    const says = pushDelta(given, events) || isGrowing
    if (events.slice(before).some((event) => 'message' in event)) textPlace = 'message'
    return says
  }
  const pushPiece = (delta: Json, events: UpstreamEvent[]): boolean => {
    const says = pushDelta(delta, events)
    isInPieces ||= says
    return says
  }
  /**
   * @param isBeside - The same chunk has said a piece: this may be another copy of that.
   * @returns Whether it is known what it says.
   */
  const pushRest = (given: unknown, isBeside: boolean, events: UpstreamEvent[]): boolean => {
    const whole = wordsOf(given)
    if (whole.trim() === '') return false
    hasRest = true
    const rest = hasText ? heard.beyond(whole) : whole
    if (rest === undefined && !isBeside) events.push({ malformed: whole.slice(0, 200) })
    else if (rest?.trim() && !isDone(rest)) pushDelta({ content: rest }, events)
    return true
  }
  /** @returns Whether it says something. */
  const pushDelta = (delta: Json, events: UpstreamEvent[]): boolean => {
    const before = events.length
    const thinking = thinkingIn(delta, own)
    isThinkingInPieces ||= thinking !== ''
    if (thinking !== '') events.push({ thinking })
    const content = contentOf(delta)
    if (typeof content !== 'string') events.push(...contentEvents(content))
    else if (content !== '') events.push({ message: content })
    // What OpenAI's models say when they refuse is for the person to read.
    const refusal = text(delta['refusal'])
    if (refusal !== '') events.push({ message: refusal })
    const isCall = pushCalls(delta)
    if (options.from !== undefined) attached.add(delta)
    said ||= isCall || events.length > before
    hasText ||= events.length > before + (thinking === '' ? 0 : 1)
    for (let i = before; i < events.length; i++) hear(events[i]!)
    return isCall || events.length > before
  }
  const pushBesides = (choice: Json, chosen: Chosen | undefined, chunk: Json): void => {
    const { item, type } = chunk
    if (isCallType(record(item)['type']) && text(type).endsWith('done')) pushCalls({ content: item }, besides)
    if (!chosen) return
    // What is said in the choice alone may be in pieces.
    if (!pushCalls(choice, besides)) pushCalls(chunk, besides)
    for (const other of chosen.others) pushCalls({ tool_calls: callsOf(other) }, others)
  }
  /** What stands beside the deltas, as a text, where these have none: all of it again, it may be. */
  const pushThinking = (places: readonly Json[], events: UpstreamEvent[]): void => {
    const thinking = places.map((place) => thinkingBeside(place, own)).find((one) => one !== '')
    if (thinking === undefined) return
    said = true
    events.push({ thinking })
  }
  const pushCalls = (place: Json, to = calls): boolean => {
    const fragments = callsIn(place)
    if (fragments.length === 0) return false
    to.push(fragments)
    isCalling = true
    if (to !== others) progress = { stage: 'tool_call', done: calls.chars() + besides.chars() }
    return true
  }
  const over = (why: string, events: UpstreamEvent[]): void => {
    const ending = endingOf(why, finishReasons)
    if (!ending) return
    if ('error' in ending) {
      if (ending.isKnown) events.push(fail(ending.error))
      else unknown ??= ending.error
    }
    // Calls that were announced are missed, whatever is said after that.
    else if (ending.finish !== 'stop' || reason !== 'tool_calls') reason = ending.finish
  }
  const hear = (event: UpstreamEvent): void => {
    if ('message' in event) heard.add(event.message)
  }
  return decodeFrames(sse, {
    decode,
    done,
    errorOf: (said) => bandError({ error: said }, errors),
    stamps,
    counting: /"(?:usage|usage_?metadata|timings|x_groq)": ?\{/i,
    counted: (frame) => void (counted = frame),
    isAlike: (event) => isInPieces && event === undefined && reason === undefined && !unknown,
    hasChanged() {
      const has = progress !== hadProgress || hasText !== hadText || hasRest
      hasRest = false
      hadProgress = progress
      hadText = hasText
      return has
    },
    heard: hear,
    isFinished: () => finished,
    isProven: () => reason !== undefined || unknown !== undefined,
    fail,
    read: pushCounts,
    end: (events) => events.push(...finish()),
  })
}

type TextPlace = 'delta' | 'message' | 'choice' | 'frame'
const noTexts = { text: undefined, output_text: undefined, value: undefined, response: undefined }

function wordsOf(content: unknown): string {
  return contentEvents(content)
    .map((one) => ('message' in one ? one.message : ''))
    .join('')
}
