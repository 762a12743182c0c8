/** Why a default is what it is, by `Group.option`: what a docstring has no room for. A test wants one for every number. */
export const reasons: Readonly<Record<string, string>> = {
  'GatewayOptions.basePath':
    'what the examples and the client’s documentation use, so that two sides agree without a word.',
  'GatewayOptions.requestOptions':
    'these change how a model writes, not what it costs or where it runs; a browser may choose nothing else.',
  'GatewayOptions.interruptedNote':
    'without it a model believes that the person has read all it meant to say. Short, in brackets, so that it is not taken for the person’s words.',
  'GatewayOptions.allowedOrigins':
    'CORS headers alone do not stop a foreign page from spending your tokens: an origin that is not listed is refused.',
  'GatewayOptions.orphanMs': 'a phone in a lift comes back in less; longer would pay for answers that nobody reads.',
  'CoalesceOptions.windowMs':
    'ten frames a second still read as live, and at 50 tokens/s that is a fifth of the writes.',
  'HeartbeatOptions.intervalMs':
    'proxies hang up after 30 to 60 s of silence, and the client calls it a drop after three intervals: 15 s.',
  'FuseOptions.malformed': 'one bad frame happens; three in a row are no stream any more.',
  'FuseOptions.stallMs': 'once a model writes, its tokens come within seconds.',
  'FuseOptions.toolStallMs': 'some servers send a tool call only when it is whole.',
  'FuseOptions.firstDeltaMs':
    'a cold 32B model sends nothing, not even headers, while it loads, and hanging up aborts the load: a shorter wait would never succeed.',
  'FuseOptions.maxBytes': 'hundreds of times a long answer: it stops what has gone wrong, not what is long.',
  'FuseOptions.maxRunMs': 'an hour: the last bound, for a model that never ends.',
  'RecoveryOptions.maxAttempts':
    'a server that answers and fails five times is not restarting, it is broken; each attempt costs tokens.',
  'RecoveryOptions.maxWaitMs': 'a container with a model server restarts in about that.',
  'BreakerOptions.failures': 'each has already been retried by recovery: five of them are no coincidence.',
  'BreakerOptions.probeMs': 'soon enough that nobody waits long, seldom enough not to hinder a server that starts.',
  'SessionOptions.idleMs': 'a person who comes back later sends the whole history anyway: nothing is lost.',
  'SessionOptions.maxIdle':
    'a session holds ids and a digest, not the text; losing one costs nothing but the note about an interrupt.',
  'KeepOptions.keepRunMs': 'long enough to come back to the answer after a tunnel or a reload.',
  'KeepOptions.maxRuns': 'with `maxBytes`, what bounds memory however many runs end within `keepRunMs`.',
  'KeepOptions.maxBytes': '64 MiB: about ten thousand long answers.',
  'LimitOptions.runs': 'beyond what one model server serves at once; it bounds memory.',
  'LimitOptions.clientRuns': 'only an app knows what a client is.',
  'LimitOptions.readers': 'more tabs than anybody has; it bounds what one run id can cost.',
  'LimitOptions.bodyBytes': 'a history of 1 MiB is more than models read.',
  'LimitOptions.messages': 'the same bound, for histories of tiny messages.',
  'OllamaOptions.maxLineChars': 'a line is one delta, or one tool call: longer is a server gone wrong.',
  'OpenAiCompatibleOptions.maxLineChars': 'a frame is one delta: longer is a server gone wrong.',
  'AnthropicOptions.maxLineChars': 'a frame is one delta: longer is a server gone wrong.',
  'AnthropicOptions.maxTokens': 'the API wants a number, and this one is allowed for every current model.',
  'ReconnectOptions.maxMs': 'two minutes: after that, a person wants to decide.',
  'ChatClientOptions.whenBusy': 'who speaks while somebody answers cuts in.',
  'ChatClientOptions.autoContinue': 'a reply that was cut off by nobody’s wish should be whole.',
  'RandomFaultOptions.percent': 'most requests must fail for a test to find anything, and some must not for it to end.',
}
