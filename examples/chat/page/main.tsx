import { createChatClient } from '@midstream/client'
import { persist } from '@midstream/client/persist'
import { tabs } from '@midstream/client/tabs'
import { PageBoundary } from '@midstream/example-page-parts'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ChatPage } from './chat-page.tsx'
import './theme.css'
import { language, words } from './words/index.ts'

// Outside of the components: the conversation outlives them.
const client = createChatClient({ url: '/api/chat', extensions: [persist('local'), tabs()] })
// What was kept is read before the page is first painted.
client.session()

document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'

const root = document.querySelector('#root')
if (root === null) throw new Error('The page has no #root.')
createRoot(root).render(
  <StrictMode>
    <PageBoundary text={words.unshowable} clear={words.clear} onClear={() => client.session().clear()}>
      <ChatPage client={client} />
    </PageBoundary>
  </StrictMode>,
)
