/** What people import, in the order of the reference, and where its names are listed. */
export const entries: readonly { readonly name: string; readonly source: string }[] = [
  { name: '@midstream/core', source: 'packages/core/src/index.ts' },
  { name: '@midstream/core/gateway', source: 'packages/core/src/gateway/index.ts' },
  { name: '@midstream/core/upstream', source: 'packages/core/src/upstream/index.ts' },
  { name: '@midstream/core/node', source: 'packages/core/src/node/index.ts' },
  { name: '@midstream/core/testing', source: 'packages/core/src/testing/index.ts' },
  { name: '@midstream/client', source: 'packages/client/src/index.ts' },
  { name: '@midstream/client/persist', source: 'packages/client/src/persist.ts' },
  { name: '@midstream/client/tabs', source: 'packages/client/src/tabs.ts' },
  { name: '@midstream/react', source: 'packages/react/src/index.ts' },
]
