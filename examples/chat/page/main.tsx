import { createChatClient } from '@midstream/client'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ChatPage } from './chat-page.tsx'
import './theme.css'
import { language } from './words/index.ts'

// Outside of the components: the conversation outlives them.
const client = createChatClient({ url: '/api/chat' })

document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'

const root = document.querySelector('#root')
if (root === null) throw new Error('The page has no #root.')
createRoot(root).render(
  <StrictMode>
    <ChatPage client={client} />
  </StrictMode>,
)
