import type { ChatErrorCode } from '@midstream/core'

/** What a client's author has to know of a code. */
export interface ErrorFact {
  /** Who says so: the gateway as an HTTP status, the end of a run (a status, too, with `stream: false`), or the client. */
  readonly by: 'answer' | 'run' | 'client'
  /** With what HTTP status, where there is an answer to carry it. */
  readonly status: number | undefined
  /** Whether the same request may succeed later: `retryable` as it travels. */
  readonly isRetryable: boolean
  readonly meaning: string
  readonly advice: string
}

const fact = (
  by: ErrorFact['by'],
  status: number | undefined,
  isRetryable: boolean,
  meaning: string,
  advice: string,
): ErrorFact => ({ by, status, isRetryable, meaning, advice })

const wait = 'Ask again later, not before `retry_after_ms`.'
const goOn = 'Continue from the partial, or ask again.'
const ownFault = 'Mend the request.'

/** Every code. A test compares them with what the gateway does, and with where the sources make each of them. */
export const errorCodes: Readonly<Record<ChatErrorCode, ErrorFact>> = {
  bad_request: fact(
    'answer',
    400,
    false,
    'The body or a header, such as `Host`, makes no sense; `message` says what.',
    ownFault,
  ),
  unsupported_content: fact('answer', 400, false, 'A message holds something that is not text.', 'Send text.'),
  model_not_allowed: fact('answer', 400, false, 'The gateway does not offer that model.', 'Name another, or none.'),
  option_not_allowed: fact('answer', 400, false, 'A browser may not set that option.', 'Leave it out.'),
  unauthorized: fact(
    'answer',
    401,
    false,
    '`authorize` returned no owner: anything but a string that is not empty.',
    'Log in, then ask again.',
  ),
  origin_not_allowed: fact(
    'answer',
    403,
    false,
    'The page’s origin is neither that of the host that was asked nor in `allowedOrigins`; `message` names both.',
    'List it at the gateway, or let a proxy in front pass `Host` on.',
  ),
  host_not_allowed: fact(
    'answer',
    403,
    false,
    'The host that `message` names is not in `allowedHosts`; without `authorize` and a list, a loopback socket allows localhost and IP addresses.',
    'List it at the gateway.',
  ),
  not_found: fact(
    'answer',
    404,
    false,
    'No such run, session or path, or it is somebody else’s.',
    'Ask anew, with the partial as history.',
  ),
  method_not_allowed: fact('answer', 405, false, 'The path answers other methods; `Allow` says which.', ownFault),
  session_busy: fact(
    'answer',
    409,
    true,
    'A run of the session goes on, and `when_busy` is `reject`.',
    'Wait for its end, or interrupt it.',
  ),
  run_conflict: fact('answer', 409, false, 'Another request has started a run with this id.', 'Make a new run id.'),
  expired: fact(
    'answer',
    410,
    false,
    'The run has ended, and is no longer kept (`keepRunMs`).',
    'Go on from the partial that is there.',
  ),
  too_large: fact('answer', 413, false, 'The body is larger than `limits.body_bytes`.', 'Send less history.'),
  too_many_messages: fact(
    'answer',
    400,
    false,
    'There are more messages than `limits.messages`.',
    'Leave out the oldest, and say how many in `omitted`.',
  ),
  too_many_readers: fact('answer', 429, true, 'The run has `limits.readers` readers.', wait),
  too_many_runs: fact('answer', 429, true, 'This client has `limits.clientRuns` runs.', wait),
  overloaded: fact('answer', 503, true, 'The gateway has `limits.runs` runs.', wait),
  shutting_down: fact(
    'answer',
    503,
    true,
    'The gateway starts no more runs.',
    'Ask again at once: another process may answer.',
  ),
  internal: fact('answer', 500, false, 'The gateway failed; its own log says why.', 'Tell whoever runs it.'),
  breaker_open: fact(
    'answer',
    503,
    true,
    'The model server failed run after run, and is left alone for a while.',
    wait,
  ),
  upstream_unreachable: fact('run', 503, true, 'The model server could not be reached for `recovery.maxWaitMs`.', goOn),
  upstream_busy: fact('run', 503, true, 'It has no room, or too many were asked of it.', wait),
  upstream_model_missing: fact('run', 502, false, 'It does not have the model.', 'Pull or name another model.'),
  upstream_unauthorized: fact(
    'run',
    502,
    false,
    'It refused the key, or the account has no credit.',
    'Mend the account.',
  ),
  upstream_rejected: fact(
    'run',
    502,
    false,
    'It refused the request: a context that is too long, a filter.',
    'Change the request or the gateway’s settings.',
  ),
  upstream_failed: fact('run', 502, true, 'It said that it failed.', goOn),
  upstream_crashed: fact(
    'run',
    502,
    true,
    'Its model process died, or it failed inside in the middle of a reply, each time that it was asked again.',
    goOn,
  ),
  upstream_incomplete: fact(
    'run',
    502,
    true,
    'Its body ended without evidence that the reply is whole. Not retryable when it ended its body by itself, without a finish reason that is known: the text may well be all.',
    goOn,
  ),
  upstream_malformed: fact('run', 502, true, 'It sent what cannot be read, `fuse.malformed` times in a row.', goOn),
  upstream_stalled: fact(
    'run',
    504,
    true,
    'It fell silent in mid-reply for `fuse.stallMs`, or was alive without progress for `fuse.progressMs`.',
    goOn,
  ),
  upstream_silent: fact('run', 504, true, 'Its first word did not come within `fuse.firstDeltaMs`.', goOn),
  overflow: fact('run', 502, false, 'The reply, a line or a tool call is longer than its bound.', 'Ask for less.'),
  run_too_long: fact('run', 504, false, 'The run took longer than `fuse.maxRunMs`.', 'Ask for less.'),
  network: fact(
    'client',
    undefined,
    true,
    'The gateway was not reached. Not retryable when something else answered in its place, such as a login page; `message` says what.',
    'Ask again when the network is back; else look at `url` and at the login.',
  ),
  headers_failed: fact(
    'client',
    undefined,
    true,
    'The option `headers` threw, rejected, or did not settle in time. Not retryable where it gave a name or a value that no header can have.',
    'Mend it; `cause` has its error.',
  ),
  orphaned: fact('client', undefined, true, 'The run was ended (`by: "orphan"`) while nobody was connected.', goOn),
  dropped: fact('client', undefined, true, 'The connection was lost for good.', goOn),
  storage_failed: fact(
    'client',
    undefined,
    false,
    'The storage of `persist` is full, blocked, broken or not there: the conversation, or its oldest part, is not kept. `onError` and `notice` say so.',
    'Make room, or tell the person.',
  ),
  stored_invalid: fact(
    'client',
    undefined,
    false,
    'What was stored makes no sense, in whole or in part: that was left out. A reply of which nobody knows how it ended has its text, and is `dropped`.',
    'Look at what else writes to that key.',
  ),
  extension_failed: fact(
    'client',
    undefined,
    false,
    'An extension, or the channel of `tabs`, threw or rejected: the conversation goes on without it. `onError` says so.',
    'Mend it; `cause` has its error.',
  ),
  closed: fact(
    'client',
    undefined,
    false,
    'The conversation, or its client, was closed. The snapshot says so; `send` and the like throw a TypeError.',
    'Ask an open client: `client.session(name)`. Do not close a client in an effect of React: StrictMode runs it twice.',
  ),
}

const heads: Readonly<Record<ErrorFact['by'], readonly [head: string, text: string]>> = {
  answer: ['Instead of a run', 'As an HTTP status, with `{"error": …}` as its body.'],
  run: [
    'At the end of a run',
    'In the terminal frame, `"reason":"error"`, with the partial kept; with `stream: false`, as this status.',
  ],
  client: ['In our client', 'Made by it, and never on the wire.'],
}

/** The codes as Markdown, one table for each way by which they come. */
export function errorTable(): string {
  return Object.entries(heads)
    .map(([by, [head, text]]) => {
      const rows = Object.entries(errorCodes)
        .filter(([, of]) => of.by === by)
        .map(([code, { status = '–', isRetryable, meaning, advice }]) =>
          [`<a id="error-${code}"></a>\`${code}\``, status, isRetryable ? 'yes' : 'no', `${meaning} *${advice}*`].join(
            ' | ',
          ),
        )
      const table = ['code | status | retryable | means, and what to do', '---|---|---|---', ...rows]
      return `### ${head}\n\n${text}\n\n${table.map((row) => `| ${row} |`).join('\n')}`
    })
    .join('\n\n')
}
