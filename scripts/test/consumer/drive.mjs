// Runs the README's examples as they were compiled in a folder into which npm has installed the packages.
//   node drive.mjs HAPPY-DOM     with OLLAMA_URL and MODEL for the server; prints what came of them as one line of JSON
import { once } from 'node:events'
import { version } from 'react'

const { Window } = await import(process.argv[2])
process.env.PORT = '0'
const { server } = await import('./out/server.js')
if (!server.listening) await once(server, 'listening')
const base = `http://127.0.0.1:${server.address().port}`

let printed = ''
const write = process.stdout.write
process.stdout.write = (text) => ((printed += text), true)
process.env.CHAT_URL = `${base}/api/chat`
await import('./out/script.js')
process.stdout.write = write

const { reply } = await import('./out/faults.js')
const { client } = await import('./out/client.js')

// The page, as a person uses it. What it fetches is relative to where it stands.
const platformFetch = globalThis.fetch
globalThis.fetch = (url, init) => platformFetch(new URL(url, base), init)
const window = new Window({ url: base })
const { document, FormData } = window
Object.assign(globalThis, { window, document, FormData })
const { createRoot } = await import('react-dom/client')
const { createElement } = await import('react')
const { Chat } = await import('./out/chat.js')
const root = createRoot(document.body.appendChild(document.createElement('div')))

/** Waits until the page shows what is looked for. */
function shown(selector, isMeant = () => true) {
  return new Promise((resolve) => {
    const look = () => {
      const found = [...document.querySelectorAll(selector)].find(isMeant)
      if (!found) return
      observer.disconnect()
      resolve(found)
    }
    const observer = new window.MutationObserver(look)
    observer.observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true })
    look()
  })
}

root.render(createElement(Chat))
const form = await shown('form')
const ask = (text) => {
  form.querySelector('input').value = text
  form.dispatchEvent(new window.Event('submit', { bubbles: true, cancelable: true }))
}
ask('Tell me a story')
const growing = await shown('p.streaming', ({ textContent }) => textContent !== '')
const [, interrupt] = form.querySelectorAll('button')
interrupt.click()
await shown('p.interrupted')
const cut = growing.textContent
ask('Hello')
await shown('p.done', ({ previousElementSibling }) => previousElementSibling?.previousElementSibling === growing)
const page = { cut, keptAfterwards: growing.textContent }
root.unmount()

console.log(JSON.stringify({ version, script: printed, fault: reply.content, client: Object.keys(client), page }))
server.closeAllConnections()
server.close()
await window.happyDOM.close()
