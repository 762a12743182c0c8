import type { Dialect, DialectName } from './dialect.ts'
import { openai } from './dialects/openai.ts'
import { llamacpp } from './dialects/llamacpp.ts'
import { vllm } from './dialects/vllm.ts'
import { sglang } from './dialects/sglang.ts'
import { lmstudio } from './dialects/lmstudio.ts'
import { deepseek } from './dialects/deepseek.ts'
import { dashscope } from './dialects/dashscope.ts'
import { mistral } from './dialects/mistral.ts'
import { openrouter } from './dialects/openrouter.ts'
import { ollama } from './dialects/ollama.ts'

/** The servers that are known by name. @public */
export const dialects: Readonly<Record<DialectName, Dialect>> = {
  openai,
  llamacpp,
  vllm,
  sglang,
  lmstudio,
  deepseek,
  dashscope,
  mistral,
  openrouter,
  ollama,
}
