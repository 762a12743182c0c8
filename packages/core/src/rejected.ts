/**
 * What is declared to return nothing may be an async function of the app all the same. What that rejects with is no unhandled
 * rejection, which would end the process.
 * @param outcome - What the call gave back.
 */
export function onRejected(outcome: unknown, failed: (error: unknown) => void): void {
  if (typeof outcome === 'object' && outcome !== null && 'then' in outcome)
    Promise.resolve(outcome).then(undefined, failed)
}
