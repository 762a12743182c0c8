export { createGateway, type Gateway } from './gateway.ts'
export { gatewayDefaults, limitDefaults, type GatewayOptions, type LimitOptions } from './options.ts'
export { type GatewayReply } from './reply.ts'
export { type GatewayRequest } from './request.ts'
