/**
 * Makes an element of the shadow tree. Whatever is text goes in as a text node: nothing here parses HTML.
 * @param names - Its classes, which are its parts, too: what the bubble can style, its page can.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  names: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries({ class: names, part: names, ...attributes })) {
    element.setAttribute(name, value)
  }
  element.append(...children)
  return element
}
