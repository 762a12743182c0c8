import { toNodeListener } from '@midstream/core/node'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { gateway } from './gateway.ts'

const listener = toNodeListener(gateway)
const chat = (request: FastifyRequest, reply: FastifyReply): void => {
  Object.entries(reply.hijack().getHeaders()).forEach(([name, value = '']) => reply.raw.setHeader(name, value))
  listener(request.raw, reply.raw)
}
/** A plugin, for `app.register`: routes, so that every hook comes first, in a scope of their own, as the gateway reads bodies itself. */
export const mount = async (scope: FastifyInstance): Promise<void> => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
  scope.all('/api/chat', chat).all('/api/chat/*', chat)
}
