import { defineConfig, type UserConfig } from 'vite'

// Builds the one script. The blog is plain files, which are copied as they are.
const config: UserConfig = defineConfig({
  publicDir: 'blog',
  build: {
    outDir: 'dist/blog',
    emptyOutDir: true,
    // Where light-dark() is known: Chrome 123, Firefox 120, Safari 17.5.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    rolldownOptions: {
      input: 'element/main.ts',
      output: { entryFileNames: 'midstream-chat.js' },
    },
  },
})

export default config
