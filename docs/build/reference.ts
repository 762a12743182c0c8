// Writes what the site takes from the sources: docs/api (the docstrings) and docs/generated (tables that pages include).
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dialectTable } from './dialect-table.ts'
import { errorTable } from './error-codes.ts'
import { optionPage } from './option-page.ts'
import { optionGroups } from './options.ts'
import { readProject, writeApi } from './project.ts'

const docs = join(import.meta.dirname, '..')
const api = join(docs, 'api')
const generated = join(docs, 'generated')

const { app, project } = await readProject()
await Promise.all([api, generated].map((folder) => rm(folder, { recursive: true, force: true })))
await mkdir(generated, { recursive: true })
await writeFile(join(generated, 'options.md'), `${optionPage(optionGroups(project))}\n`)
await writeFile(join(generated, 'dialects.md'), `${dialectTable()}\n`)
await writeFile(join(generated, 'errors.md'), `${errorTable()}\n`)
await writeApi(app, project, api)
