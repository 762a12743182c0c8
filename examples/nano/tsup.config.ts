import { defineConfig } from 'tsup'

const config: ReturnType<typeof defineConfig> = defineConfig({
  // worker is an entry of its own because it is started by its address, not imported.
  entry: ['src/index.ts', 'src/main.ts', 'src/nano-chat.ts', 'src/worker.ts'],
  format: 'esm',
  target: 'node22',
  platform: 'node',
  dts: false,
  clean: true,
})

export default config
