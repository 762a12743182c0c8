// A window for React, without a browser, that paints 60 times a second. Imported before react-dom, which looks for one.
import { Window } from 'happy-dom'

const frameMs = 1_000 / 60
const window = new Window({ url: 'http://chat.test/' })
const nextFrame = (paint: FrameRequestCallback): number =>
  Number(setTimeout(() => paint(performance.now()), frameMs - (performance.now() % frameMs)))

Object.assign(globalThis, {
  window,
  document: window.document,
  requestAnimationFrame: nextFrame,
  cancelAnimationFrame: (id: number) => clearTimeout(id),
})
