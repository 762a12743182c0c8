/**
 * Takes out what a reader of the page could not see but a model reads: control characters, zero-width ones, those that
 * turn the direction of text, tags. Joiners stay: Persian and many emoji need them.
 */
export function cleanText(text: string): string {
  return text
    .replaceAll(/\r\n?|[\v\f\u0085\u2028\u2029]/g, '\n')
    .replaceAll(/(?![\n\t\u200C\u200D])[\p{Cc}\p{Cf}\p{Cs}\u{E0100}-\u{E01EF}]/gu, '')
}

/** Names in angle or square brackets by which chat templates begin a turn, end one, or switch to thinking and tools. */
const names = 'bos|eos|unk|pad|s|think|tool_call|tool_response|system|user|assistant|(?:start|end)_of_turn'
const angled = new RegExp(`<(?=/?(?:${names})>)`, 'gi')
const squared = /\[(?=\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])/g

/**
 * Breaks what a model server may take for a mark of its chat template rather than for text: some read `<|im_start|>` in a message as
 * the mark itself. The list is that of common templates, and cannot be complete.
 * @see https://github.com/ggml-org/llama.cpp/issues/24382
 */
export function breakMarks(text: string): string {
  return text
    .replaceAll(/<(?=[|｜])/g, '< ')
    .replaceAll(/(?<=[|｜])>/g, ' >')
    .replaceAll(/<<(?=\/?SYS>>)/g, '< <')
    .replaceAll(angled, '< ')
    .replaceAll(squared, '[ ')
}
