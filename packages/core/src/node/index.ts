export { toNodeListener, type NodeListener } from './listener.ts'
export { nodeTransport, type NodeTransportOptions } from './transport.ts'
