/** Elements of HTML that fetch something, or do more than show text. */
const elements =
  'a|area|audio|base|body|bgsound|button|embed|form|frame|iframe|image|img|input|link|meta|object|picture|script|source|style|svg|table|td|track|video'
const tag = new RegExp(`<(?:${elements})(?=[\\s/>])`, 'gi')

/**
 * A model's text as it may be posted to a platform that shows Markdown. A picture is fetched by everybody who sees the message, and
 * its address may hold what was said: its exclamation mark is set apart, which leaves a link. HTML that fetches becomes HTML that is
 * none, and nobody is called (`<@…>`). A sign is added only right before a character that was there: the text so far stays the start
 * of the text that has grown, and pages of it stay what they were. Code is no exception, as a page may begin in the middle of it.
 */
export function withoutFetches(text: string): string {
  return text.replaceAll('![', '! [').replaceAll('<@', '< @').replace(tag, '$&_')
}
