import react from '@vitejs/plugin-react'
import { defineConfig, type UserConfig } from 'vite'

const config: UserConfig = defineConfig({
  root: 'page',
  plugins: [react()],
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    // The page's content security policy allows nothing inline, not even as a data: URL.
    assetsInlineLimit: 0,
    // Small enough to come in one piece: React, the Markdown parser and the client, 160 kB compressed.
    chunkSizeWarningLimit: 600,
  },
  // `pnpm dev` next to a running `pnpm start`: the page from its source, the gateway from there.
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
})

export default config
