import { ChatError } from '../wire/errors.ts'
import type { ChatRequest } from '../wire/messages.ts'

/**
 * A schema of any library that follows the Standard Schema (zod, valibot, arktype).
 * @see https://standardschema.dev
 * @public
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
      }[]
    }

/** Longest words of a schema that travel, UTF-16 code units. */
const maxChars = 200

/**
 * A request whose `metadata` has been checked, where the app gives a schema.
 * @throws {ChatError} `bad_request`, with the schema's first issue.
 */
export async function withMetadata(chat: ChatRequest, schema: StandardSchema | undefined): Promise<ChatRequest> {
  if (!schema) return chat
  const result = await schema['~standard'].validate(chat.metadata)
  if (!result.issues) return { ...chat, metadata: result.value as ChatRequest['metadata'] }
  const [issue] = result.issues
  const keys = (issue?.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
  const said = `${['metadata', ...keys].join('.')}: ${issue?.message ?? 'refused'}`
  throw new ChatError('bad_request', said.slice(0, maxChars) + (said.endsWith('.') ? '' : '.'))
}
