import { defaultClientConditions, defaultServerConditions } from 'vite'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** For the test files that stand on pages: on the sources, as all tests are. */
const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ['@midstream/source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['@midstream/source', ...defaultServerConditions] } },
  test: { include: ['docs/.blocks/run/**/*.test.ts'] },
})

export default config
