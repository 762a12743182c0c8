import { defineConfig } from 'tsup'

// The transports stay files of their own: "#transport" in package.json picks one of them when the package is loaded.
const config: ReturnType<typeof defineConfig> = defineConfig({
  entry: {
    index: 'src/index.ts',
    'upstream/index': 'src/upstream/index.ts',
    'upstream/http/fetch-transport': 'src/upstream/http/fetch-transport.ts',
    'gateway/index': 'src/gateway/index.ts',
    'node/index': 'src/node/index.ts',
    'node/transport': 'src/node/transport.ts',
    'testing/index': 'src/testing/index.ts',
  },
  external: ['#transport', /^node:/],
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  removeNodeProtocol: false,
  splitting: true,
  // The code is readable as it is; maps would more than double what every installation downloads.
  sourcemap: false,
  clean: true,
  dts: false,
})

export default config
