export { createGateway, type CloseOptions, type Gateway, type GatewayStats } from './gateway.ts'
export { gatewayDefaults, limitDefaults, type GatewayOptions, type LimitOptions } from './options.ts'
export { type GatewayReply } from './reply.ts'
export { type GatewayRequest } from './request.ts'
