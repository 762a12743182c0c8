// In a Next.js app this file is app/api/chat/[[...path]]/route.ts
import { createGateway, type Gateway } from '@midstream/core/gateway'
import { ollama } from '@midstream/core/upstream'

const upstream = ollama({ url: process.env['OLLAMA_URL'], model: process.env['MODEL'] ?? 'qwen3:32b' })
const gateway: Gateway = createGateway({ upstream })

export { gateway as DELETE, gateway as GET, gateway as HEAD, gateway as OPTIONS, gateway as POST }
