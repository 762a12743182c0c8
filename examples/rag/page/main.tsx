import { createChatClient } from '@midstream/client'
import { persist } from '@midstream/client/persist'
import { PageBoundary } from '@midstream/example-page-parts'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { language, words } from './words.ts'
import { RagPage } from './rag-page.tsx'
import './rag-page.css'

// Outside of the components: the conversation outlives them.
const client = createChatClient({ url: '/api/chat', extensions: [persist('session')] })
// What was kept is read before the page is first painted.
client.session()

document.documentElement.lang = language
const root = document.querySelector('#root')
if (root === null) throw new Error('The page has no #root.')
createRoot(root).render(
  <StrictMode>
    <PageBoundary text={words.unshowable} clear={words.clear} onClear={() => client.session().clear()}>
      <RagPage client={client} />
    </PageBoundary>
  </StrictMode>,
)
