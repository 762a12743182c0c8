import { createGateway, type Gateway } from '@midstream/core/gateway'
import { ollama } from '@midstream/core/upstream'

const upstream = ollama({ url: process.env['OLLAMA_URL'], model: process.env['MODEL'] ?? 'qwen3:32b' })
/** The gateway, at /api/chat and below: the same wherever it is mounted. */
export const gateway: Gateway = createGateway({ upstream })
