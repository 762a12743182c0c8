/** Sentences by which servers say that they do not continue a reply, or not with thinking. All were seen in the wild. */
const refusals =
  /does not support assistant message prefill|prefill is incompatible with enable[_\s-]?thinking|conversation must end with a user message|2 or more assistant messages|continue_final_message is set but|Expected last role User or Tool|Cannot continue an assistant message|enable_thinking parameter is restricted to True|invalid reasoning value|reasoning is mandatory/i

/** Whether a server's words mean that it does not go on with a reply by its own means. */
export function refusesContinuation(said: string): boolean {
  return refusals.test(said)
}
