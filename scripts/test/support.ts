import { build } from 'vite'

/**
 * What a bundler makes of a module: one file, with nothing but what it uses.
 * @param options.distrust - Look for side effects also where a package.json says that there are none.
 */
export async function bundle(root: string, code: string, options: { distrust?: boolean } = {}): Promise<string> {
  const entry = 'virtual:entry'
  const plugin = {
    name: 'entry',
    resolveId: (id: string) => (id === entry ? id : undefined),
    load: (id: string) => (id === entry ? code : undefined),
    transform: (text: string) => (options.distrust ? { code: text, moduleSideEffects: true } : undefined),
  }
  const built = await build({
    configFile: false,
    root,
    logLevel: 'error',
    plugins: [plugin],
    build: {
      write: false,
      minify: true,
      lib: { entry, formats: ['es'] },
      rolldownOptions: { input: entry, external: ['react', /^node:/] },
    },
  })
  const [result] = Array.isArray(built) ? built : [built]
  if (!result || !('output' in result)) throw new Error('vite gave nothing')
  return result.output[0].code
}
