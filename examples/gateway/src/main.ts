#!/usr/bin/env node
import { main } from './cli.ts'

// Not `await`: a single executable is CommonJS, which has none at its top.
void main(process.argv.slice(2))
