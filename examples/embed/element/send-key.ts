/** What of a key press matters here. */
export type KeyPress = Pick<KeyboardEvent, 'key' | 'keyCode' | 'shiftKey' | 'altKey' | 'isComposing'>

/**
 * Tells whether a key press belongs to an input method. Safari ends the composition before the key press that did so,
 * and marks that one by 229 only.
 * @see https://www.w3.org/TR/uievents/#determine-keydown-keyup-keyCode
 */
export function isComposed({ isComposing, keyCode }: Pick<KeyPress, 'isComposing' | 'keyCode'>): boolean {
  return isComposing || keyCode === 229
}

/** Tells whether a key press sends the question: Enter alone; with Shift or Alt it breaks the line. */
export function isSendKey(press: KeyPress): boolean {
  return press.key === 'Enter' && !press.shiftKey && !press.altKey && !isComposed(press)
}
