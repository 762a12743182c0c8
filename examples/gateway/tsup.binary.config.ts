import { defineConfig } from 'tsup'

// For scripts/binary.mjs: all in one file, from the sources, as a single executable reads no modules from the disk.
const config: ReturnType<typeof defineConfig> = defineConfig({
  entry: ['src/main.ts'],
  format: 'cjs',
  target: 'node24',
  platform: 'node',
  noExternal: [/./],
  esbuildOptions(options) {
    options.conditions = ['@midstream/source']
  },
  dts: false,
})

export default config
