import remend from 'remend'

/**
 * Closes emphasis and code that a text leaves open, so that `**wor` shows as bold while it grows. It adds marks only:
 * what of remend would hide, replace or escape text is off, as all of the text must be seen.
 */
export function closeMarks(text: string): string {
  return remend(text, {
    links: false,
    images: false,
    htmlTags: false,
    setextHeadings: false,
    comparisonOperators: false,
    singleTilde: false,
    katex: false,
  })
}
