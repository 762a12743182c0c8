import { availableParallelism } from 'node:os'
import { defaultClientConditions, defaultServerConditions } from 'vite'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

// "@midstream/source" makes every @midstream import mean that package's src: tests need no build.
const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ['@midstream/source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['@midstream/source', ...defaultServerConditions] } },
  test: {
    include: [
      '{packages,examples}/*/test/**/*.test.{ts,tsx}',
      'docs/test/**/*.test.{ts,tsx}',
      'scripts/test/**/*.test.ts',
      'bench/test/**/*.test.ts',
      'test-support/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    typecheck: {
      enabled: true,
      include: ['packages/*/test/**/*.test-d.ts'],
      tsconfig: './tsconfig.json',
      ignoreSourceErrors: true,
    },
    restoreMocks: true,
    // Most tests wait for sockets and pages: one worker would leave a core of two idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 15_000,
    hookTimeout: 30_000,
  },
})

export default config
