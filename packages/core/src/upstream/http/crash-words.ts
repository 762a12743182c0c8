/**
 * Words of servers that mean that the process which runs the model is gone: Ollama's of its runner, vLLM's of its engine,
 * OpenRouter's of a provider. Whoever supervises it starts another one.
 */
export const crashWords: RegExp =
  /\bEOF\b|runner|disconnected|connection (refused|reset|closed|lost)|terminated|forcibly closed|engine.{0,80}(?:dead|died)|crash/i
