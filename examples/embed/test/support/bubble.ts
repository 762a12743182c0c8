import type { Locator, Page, Request } from 'playwright-core'
import { expect, vi } from 'vitest'

export const story = 'Tell me a story about a rabbit'

/** What a test does with one bubble, as a person would: by names and roles, through the shadow tree. */
export interface Bubble {
  readonly host: Locator
  readonly launcher: Locator
  readonly panel: Locator
  readonly input: Locator
  readonly messages: Locator
  /** The text of the answers, oldest first, without the greeting. */
  readonly answers: Locator
  button(name: string): Locator
  /** Opens the panel, and waits until it is there. */
  open(): Promise<void>
  ask(text: string): Promise<void>
}

export function bubbleOf(page: Page, selector = 'midstream-chat'): Bubble {
  const host = page.locator(selector)
  const launcher = host.locator('.launcher')
  const panel = host.getByRole('dialog')
  const input = host.getByRole('textbox')
  return {
    host,
    launcher,
    panel,
    input,
    messages: host.locator('.messages'),
    answers: host.locator('.message.assistant:not(:first-child) .text'),
    button: (name) => host.getByRole('button', { name, exact: true }),
    async open() {
      await launcher.click()
      await panel.waitFor()
    },
    async ask(text) {
      await input.fill(text)
      await input.press('Enter')
    },
  }
}

/** Waits for a fact of the page. */
export function eventually<T>(fact: () => Promise<T>): Promise<T> {
  return vi.waitFor(fact, { timeout: 60_000, interval: 50 })
}

/** Waits until a text is at least this long, and gives what it is then. */
export function grown(text: Locator, length: number): Promise<string> {
  return eventually(async () => {
    const seen = await textIn(text)
    expect(seen.length).toBeGreaterThanOrEqual(length)
    return seen
  })
}

/** To the character: nothing is trimmed or made visible. */
export async function textIn(locator: Locator): Promise<string> {
  return (await locator.textContent()) ?? ''
}

/** Waits until a message is `done`, `interrupted`, …: its page can style it by that. */
export function reaches(text: Locator, state: string): Promise<void> {
  return eventually(async () => {
    const part = await text.locator('..').getAttribute('part')
    expect(part?.split(' ')).toContain(state)
  })
}

/** Requests to the gateway that say something, as they were sent. */
export function recordPosts(page: Page): Request[] {
  const posts: Request[] = []
  page.on('request', (request) => {
    if (request.method() === 'POST') posts.push(request)
  })
  return posts
}

/** What a request for a reply says. */
interface Body {
  readonly session_id: string
  readonly run_id: string
  readonly messages: readonly { readonly role: string; readonly content: string; readonly interrupted?: true }[]
  readonly interrupts?: { readonly run_id: string; readonly position: number }
  readonly resume?: 'continue'
}
export const bodyOf = (request: Request | undefined): Body => request?.postDataJSON() as Body
