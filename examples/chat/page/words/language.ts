export type Language = 'en' | 'zh'

/** The first of a person's languages that the page speaks; English when there is none. */
export function languageOf(languages: readonly string[]): Language {
  for (const language of languages) {
    const [primary] = language.toLowerCase().split('-')
    if (primary === 'en' || primary === 'zh') return primary
  }
  return 'en'
}
