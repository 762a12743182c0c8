/** What of a keydown event matters here. */
export interface KeyPress {
  readonly key: string
  readonly keyCode: number
  readonly shiftKey: boolean
  readonly altKey: boolean
  readonly isComposing: boolean
}

/**
 * Tells whether a key press sends the message: Enter alone. While an input method composes, Enter belongs to it;
 * Safari ends the composition first and marks that key press by 229 only.
 * @see https://www.w3.org/TR/uievents/#determine-keydown-keyup-keyCode
 */
export function isSendKey({ key, keyCode, shiftKey, altKey, isComposing }: KeyPress): boolean {
  return key === 'Enter' && !shiftKey && !altKey && !isComposing && keyCode !== 229
}
