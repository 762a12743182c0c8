/** A request that is refused: an HTTP status and Ollama's words for it. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}
