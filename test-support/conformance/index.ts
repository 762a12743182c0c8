export {
  conformanceCases,
  type ConformanceCase,
  type ConformanceEvent,
  type ConformanceReader,
  type ConformanceStep,
} from './cases.ts'
export { createReferenceReader, type ReferenceReader } from './reader.ts'
