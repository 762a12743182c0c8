import { MidstreamChat } from './chat-element.ts'

// A page may have the script twice.
if (!customElements.get('midstream-chat')) customElements.define('midstream-chat', MidstreamChat)
