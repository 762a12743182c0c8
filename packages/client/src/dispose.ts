/** `using` calls it; platforms lack `Symbol.dispose`, and what is found under this name there is never asked for. */
export const disposeKey: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose')
