export { toNodeListener, type NodeListener } from './listener.ts'
export { nodeTransport } from './transport.ts'
