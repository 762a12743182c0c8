import { join } from 'node:path'
import { Application, PageEvent, type ProjectReflection } from 'typedoc'
import { sayDefaults } from './api-defaults.ts'
import { entries } from './entries.ts'

const root = join(import.meta.dirname, '../..')

const options = {
  name: 'API',
  entryPoints: entries.map(({ source }) => join(root, source)),
  tsconfig: join(import.meta.dirname, 'tsconfig.typedoc.json'),
  plugin: ['typedoc-plugin-markdown'],
  readme: 'none',
  disableSources: true,
  excludeExternals: true,
  excludeInternal: true,
  // tsc has checked them, with a newer TypeScript.
  skipErrorChecking: true,
  logLevel: 'Error',
  validation: { notExported: false, invalidLink: true, notDocumented: false },
  sort: ['source-order'],
  // What follows belongs to typedoc-plugin-markdown.
  router: 'module',
  modulesFileName: 'index',
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  tableColumnSettings: { hideModifiers: true },
  // Its own anchors: it counts names that differ in how they are nested as one.
  useHTMLAnchors: true,
  sanitizeComments: true,
  useCodeBlocks: true,
  expandObjects: true,
}

/** The docstrings and types of everything that people can import. @throws {Error} When the sources cannot be read. */
export async function readProject(): Promise<{ readonly app: Application; readonly project: ProjectReflection }> {
  // Of the plugin's options typedoc's types know nothing.
  const app = await Application.bootstrapWithPlugins(options as object)
  const project = await app.convert()
  if (!project || app.logger.hasErrors()) throw new Error('typedoc: the sources could not be read')
  for (const module of project.children ?? []) {
    // typedoc names a module by its path: `core/src/upstream`.
    const entry = entries.find(({ source }) => source.replaceAll(/^packages\/|(\/index)?\.ts$/g, '') === module.name)
    if (!entry) throw new Error(`typedoc: no entry for ${module.name}`)
    module.name = entry.name
  }
  return { app, project }
}

/** Writes the pages of the API. */
export async function writeApi(app: Application, project: ProjectReflection, folder: string): Promise<void> {
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = sayDefaults(page.contents ?? '')
  })
  app.options.setValue('out', folder)
  await app.generateOutputs(project)
}
