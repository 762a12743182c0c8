import type { Locator, Page, Request } from 'playwright-core'
import { expect, vi } from 'vitest'

export const story = 'Tell me a story about a rabbit'

export const replies = (page: Page): Locator => page.locator('[data-testid=message][data-role=assistant]')
export const textOf = (bubble: Locator): Locator => bubble.getByTestId('text')
export const composer = (page: Page): Locator => page.getByTestId('composer')
export const atStatus = (page: Page, state: string): Promise<void> =>
  page.locator(`[data-testid=status][data-state=${state}]`).waitFor()

export async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await composer(page).press('Enter')
}

/** Waits for a fact of the page; unlike `expect.poll`, in tests that run side by side, too. */
export function eventually<T>(fact: () => Promise<T>): Promise<T> {
  return vi.waitFor(fact, { timeout: 60_000, interval: 50 })
}

/** Waits until a text is at least this long, and gives what it is then. */
export function grown(text: Locator, length: number): Promise<string> {
  return eventually(async () => {
    const seen = await text.innerText()
    expect(seen.length).toBeGreaterThanOrEqual(length)
    return seen
  })
}

export function reaches(bubble: Locator, state: string): Promise<void> {
  return eventually(async () => expect(await bubble.getAttribute('data-state')).toBe(state))
}

/** What is on the screen shows no marks of emphasis, and no space at the end. */
export const visible = (content: string | undefined): string => (content ?? '').replaceAll('**', '').trimEnd()

/** Requests to the gateway that say something, as they were sent. */
export function recordPosts(page: Page): Request[] {
  const posts: Request[] = []
  page.on('request', (request) => {
    if (request.method() === 'POST') posts.push(request)
  })
  return posts
}

export const pathOf = (request: Request): string => new URL(request.url()).pathname

/** What a request for a reply says. */
interface Body {
  readonly messages: readonly { readonly role: string; readonly content: string; readonly interrupted?: true }[]
  readonly interrupts?: { readonly run_id: string; readonly position: number }
  readonly resume?: 'continue'
  readonly run_id: string
}
export const bodyOf = (request: Request | undefined): Body => request?.postDataJSON() as Body
