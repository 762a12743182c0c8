/**
 * Says what is so in the API's tables where a column of defaults has nothing to say: typedoc's plugin writes `undefined`
 * there, which reads as "off". An option that is an object has defaults of its own.
 */
export function sayDefaults(markdown: string): string {
  return markdown.replaceAll(
    /^(\| .*?`[\w.]+(\??)`.*? \| (.*) \| )`undefined`(?= \|)/gm,
    (_row, before: string, optional: string, type: string) =>
      `${before}${optional === '' ? 'required' : /\w+Options`\]/.test(type) ? 'its own' : 'none'}`,
  )
}
