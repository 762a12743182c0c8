const utf8 = /* @__PURE__ */ new TextEncoder()

/** Bytes of a body, on their way. */
export interface FrameSwap {
  push(bytes: Uint8Array): Uint8Array
  /** What was held back. */
  end(): Uint8Array
}

/**
 * Sends frames again and out of order, by their numbers. A frame without an `id` lets out what waits: nothing overtakes
 * the end of a run.
 */
export function swapFrames({
  repeat = [],
  swap = [],
}: {
  readonly repeat?: readonly number[] | undefined
  readonly swap?: readonly number[] | undefined
}): FrameSwap {
  if (repeat.length === 0 && swap.length === 0) return { push: (bytes) => bytes, end: () => new Uint8Array() }
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let unfinished = ''
  let held = ''
  let index = -1

  const place = (frame: string): string => {
    const before = held
    held = ''
    if (!/^id:/m.test(frame)) return before + frame
    index += 1
    const sent = repeat.includes(index) ? frame + frame : frame
    if (before !== '' || !swap.includes(index)) return sent + before
    held = sent
    return ''
  }
  return {
    push(bytes) {
      const frames = (unfinished + decoder.decode(bytes, { stream: true })).split(/(?<=\n\n)/)
      unfinished = frames.at(-1)?.endsWith('\n\n') ? '' : (frames.pop() ?? '')
      return utf8.encode(frames.map(place).join(''))
    },
    end: () => utf8.encode(held + unfinished + decoder.decode()),
  }
}
