/* oxlint-disable typescript/no-misused-spread -- texts are taken apart by code point on purpose */
// node boost.mjs DIR: the ids of names, animals, keywords and digits, which train.py weighs more -> boost.json
import { readFileSync, writeFileSync } from 'node:fs'
import { createEncoder } from '../src/model/encoder.ts'
import { animals, names, znames, keywords, things } from './corpus-data.mjs'
const dir = process.argv[2],
  tok = JSON.parse(readFileSync(`${dir}/tok.json`)),
  enc = createEncoder(tok),
  ids = new Set()
for (const t of [
  ...animals.flat(),
  ...things.flat(),
  ...names,
  ...znames,
  ...Object.entries(keywords)
    .flat(2)
    .flatMap((k) => k.split('|')),
  ...'0123456789',
]) {
  if (/[a-z]/i.test(t)) {
    const e = enc(' ' + t)
    ids.add(e[0])
    const f = enc(t)
    ids.add(f[0])
  } else for (const i of enc(t)) ids.add(i)
}
writeFileSync(`${dir}/boost.json`, JSON.stringify([...ids].filter((i) => tok.tokens[i] !== '▁' && i > 260)))
console.log(ids.size)
