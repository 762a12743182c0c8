import { join } from 'node:path'
import ts from 'typescript'
import { expect } from 'vitest'
import { entries } from '../../build/entries.ts'

/** What a caller may leave out, as the type checker sees it: of an object, or an argument by its position. */
export interface Declared {
  /** The object's name, empty where it has none; of an argument, `Arguments`. */
  readonly group: string
  readonly name: string
  /** The function that takes it. */
  readonly of: string
}

const root = join(import.meta.dirname, '../../..')

/**
 * Everything that may be left out when what the packages export is called: found without typedoc and without names, so
 * that what the page's generator does not see is seen here.
 */
export function declaredOptions(): readonly Declared[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, 'docs/build/tsconfig.typedoc.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: ({ file }) => expect.unreachable(`${file?.fileName}`) },
  )
  const files = entries.map(({ source }) => join(root, source))
  const program = ts.createProgram(files, config?.options ?? {})
  const checker = program.getTypeChecker()
  const found = new Map<string, Declared>()
  const seen = new Set<ts.Type>()

  const isOurs = (symbol: ts.Symbol): boolean =>
    symbol.declarations?.some((at) => at.getSourceFile().fileName.startsWith(join(root, 'packages'))) ?? false
  const typeOf = (symbol: ts.Symbol): ts.Type => checker.getNonNullableType(checker.getTypeOfSymbol(symbol))
  const isLeftOut = (symbol: ts.Symbol): boolean =>
    (symbol.flags & ts.SymbolFlags.Optional) !== 0 ||
    (symbol.valueDeclaration !== undefined &&
      ts.isParameter(symbol.valueDeclaration) &&
      (symbol.valueDeclaration.initializer ?? symbol.valueDeclaration.questionToken) !== undefined)
  const add = (declared: Declared): void => void found.set(`${declared.group}.${declared.name}`, declared)
  const isObject = (type: ts.Type): boolean =>
    [type, ...(type.isUnionOrIntersection() ? type.types : [])].some(
      (one) => one.getCallSignatures().length === 0 && one.getProperties().some(isOurs),
    )

  /** The properties of an object that is passed, and of the objects in it. */
  const takeObject = (type: ts.Type, of: string, alias = type.aliasSymbol?.name): void => {
    if (type.isUnionOrIntersection())
      return type.types.forEach((one) => takeObject(one, of, one.aliasSymbol?.name ?? alias))
    if (seen.has(type)) return
    seen.add(type)
    // An interface with arguments is a reference to one.
    const isNamed =
      ((type.symbol as ts.Symbol | undefined)?.flags ?? 0) & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class)
    const group = isNamed ? type.symbol.name : (alias ?? '')
    for (const property of type.getProperties().filter(isOurs)) {
      if (isLeftOut(property)) add({ group, name: property.name, of })
      if (isObject(typeOf(property))) takeObject(typeOf(property), of)
    }
  }
  const takeCalls = (signatures: readonly ts.Signature[], of: string): void => {
    for (const parameter of signatures.flatMap((signature) => signature.parameters)) {
      if (isObject(typeOf(parameter))) takeObject(typeOf(parameter), of)
      else if (isLeftOut(parameter)) add({ group: 'Arguments', name: `${of}(${parameter.name})`, of })
    }
  }
  for (const file of files) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      if (symbol.flags & ts.SymbolFlags.Value) {
        const type = checker.getTypeOfSymbol(symbol)
        takeCalls([...type.getCallSignatures(), ...type.getConstructSignatures()], symbol.name)
      }
      if (!(symbol.flags & ts.SymbolFlags.Type)) continue
      const type = checker.getDeclaredTypeOfSymbol(symbol)
      takeCalls(type.getCallSignatures(), symbol.name)
      for (const property of type.getProperties().filter(isOurs))
        if (property.flags & ts.SymbolFlags.Method)
          takeCalls(typeOf(property).getCallSignatures(), `${symbol.name}.${property.name}`)
    }
  }
  return [...found.values()]
}
