import { dialects, type DialectName } from '@midstream/core/upstream'

type OpenAiProvider = Exclude<DialectName, 'ollama'> | 'ollama_openai'

/** Names of `provider`: Ollama and Anthropic by their own wires, all others by OpenAI's. */
export type Provider = 'ollama' | 'anthropic' | OpenAiProvider

const byName = Object.fromEntries(
  Object.keys(dialects).map((name) => [name === 'ollama' ? 'ollama_openai' : name, name]),
) as Readonly<Record<OpenAiProvider, DialectName>>

export const providers: readonly Provider[] = ['ollama', 'anthropic', ...(Object.keys(byName) as OpenAiProvider[])]

/** Which of OpenAI's kind a provider is; undefined for those that are not. */
export function dialectOf(provider: Provider): DialectName | undefined {
  return provider === 'ollama' || provider === 'anthropic' ? undefined : byName[provider]
}

/** The variable of the environment that holds a hosted service's key, and where that service is. */
export function keyOf(provider: Provider): { readonly variable: string; readonly url: string } | undefined {
  if (provider === 'anthropic') return { variable: 'ANTHROPIC_API_KEY', url: 'https://api.anthropic.com' }
  const dialect = dialectOf(provider)
  const { apiKeyVariable: variable, url } = dialect === undefined ? { url: '' } : dialects[dialect]
  return variable === undefined ? undefined : { variable, url }
}
