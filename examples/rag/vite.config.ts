import react from '@vitejs/plugin-react'
import { defineConfig, type UserConfig } from 'vite'

const config: UserConfig = defineConfig({
  root: 'page',
  plugins: [react()],
  // The page's content security policy allows nothing inline, not even as a data: URL.
  build: { outDir: '../dist/page', emptyOutDir: true, assetsInlineLimit: 0 },
})

export default config
