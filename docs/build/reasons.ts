/**
 * Why a default is what it is, by `Group.option`, or `*.option` for every group: what a docstring has no room for. A test
 * wants one for every default.
 */
export const reasons: Readonly<Record<string, string>> = {
  '*.clock': 'only tests want another.',
  '*.random': 'ids are all that keeps strangers apart, so they cannot be guessed; only tests want another.',
  '*.instruction': 'it asks for nothing but the rest: no repetition, and no word about having been asked.',
  '*.transport':
    'Node’s `fetch` gives up after 300 s without a byte, which a cold model may need; elsewhere there is nothing else.',
  '*.credentials': 'cookies to the own origin are what a login needs, and what `fetch` does by itself.',
  '*.fetch': 'what every browser, Node, Deno and Bun have.',
  '*.ending': 'a connection that breaks says so; a body that is whole just ends.',
  'GatewayOptions.basePath':
    'what the examples and the client’s documentation use, so that two sides agree without a word.',
  'GatewayOptions.models': 'a browser must not choose what costs more.',
  'GatewayOptions.authorize':
    'only an app knows its people; run and session ids of 128 random bits keep strangers out all the same.',
  'GatewayOptions.allowedHosts':
    'only who runs it knows its names, but a loopback address is reached by proxies and by pages whose name was pointed at it, and a page that is neither logged in nor known must not get in.',
  'GatewayOptions.requestOptions':
    'these change how a model writes, not what it costs or where it runs; a browser may choose nothing else.',
  'GatewayOptions.requestTools':
    'what tools a model is told of is the app’s to say: a page could make it write anything.',
  'GatewayOptions.requestThink': 'thinking costs tokens, and some models refuse to be asked for it.',
  'GatewayOptions.prepareMs':
    'a database answers in milliseconds; a person who has waited ten seconds for nothing should be told.',
  'GatewayOptions.saveMs': 'long enough for a busy database; whoever pressed Stop waits for it.',
  'GatewayOptions.metadata': 'an app that reads none needs no schema.',
  'GatewayOptions.interruptedNote':
    'without it a model believes that the person has read all it meant to say. Short, in brackets, so that it is not taken for the person’s words.',
  'GatewayOptions.allowedOrigins':
    'CORS headers alone do not stop a foreign page from spending your tokens: an origin that is not listed is refused.',
  'GatewayOptions.allowedHeaders':
    'a listed page is trusted with credentials, so with its headers, too; any page in the world is not.',
  'GatewayOptions.orphanMs': 'a phone in a lift comes back in less; longer would pay for answers that nobody reads.',
  'CoalesceOptions.windowMs':
    'ten frames a second still read as live, and at 50 tokens/s that is a fifth of the writes.',
  'HeartbeatOptions.intervalMs':
    'proxies hang up after 30 to 60 s of silence, and the client calls it a drop after three intervals: 15 s.',
  'FuseOptions.malformed': 'one bad frame happens; three in a row are no stream any more.',
  'FuseOptions.stallMs':
    'loaded servers pause for seconds, and many send a keep-alive every 15 s: this is two of them.',
  'FuseOptions.toolStallMs': 'some servers send a tool call only when it is whole.',
  'FuseOptions.progressMs':
    'hidden reasoning in mid-reply takes minutes, and a server that only pings for longer is stuck.',
  'FuseOptions.firstDeltaMs':
    'a cold 32B model sends nothing, not even headers, while it loads, and hanging up aborts the load: a shorter wait would never succeed.',
  'FuseOptions.maxBytes': 'hundreds of times a long answer: it stops what has gone wrong, not what is long.',
  'FuseOptions.maxRunMs': 'an hour: the last bound, for a model that never ends.',
  'RecoveryOptions.maxAttempts':
    'a server that answers and fails five times is not restarting, it is broken; each attempt costs tokens.',
  'RecoveryOptions.maxWaitMs': 'a container with a model server restarts in about that.',
  'RecoveryOptions.failoverMs':
    'long enough for a connection and a few attempts; nobody waits longer where somebody else can answer.',
  'NodeTransportOptions.connectMs':
    'a connection takes milliseconds; a server that drops its packets would hold a run for minutes.',
  'BreakerOptions.failures': 'each has already been retried by recovery: five of them are no coincidence.',
  'BreakerOptions.probeMs': 'soon enough that nobody waits long, seldom enough not to hinder a server that starts.',
  'SessionOptions.idleMs': 'a person who comes back later sends the whole history anyway: nothing is lost.',
  'SessionOptions.maxIdle':
    'a session holds ids and a digest, not the text; losing one costs nothing but the note about an interrupt.',
  'SessionOptions.maxIdlePerOwner':
    'more conversations than anybody has open; one person cannot push out those of others.',
  'KeepOptions.keepRunMs': 'long enough to come back to the answer after a tunnel or a reload.',
  'KeepOptions.maxRuns': 'with `maxBytes`, what bounds memory however many runs end within `keepRunMs`.',
  'KeepOptions.maxBytes': '64 MiB: about ten thousand long answers.',
  'LimitOptions.runs': 'beyond what one model server serves at once; it bounds memory.',
  'LimitOptions.clientRuns': 'only an app knows what a client is.',
  'LimitOptions.readers': 'more tabs than anybody has; it bounds what one run id can cost.',
  'LimitOptions.unreadMs':
    'six heartbeats: who has taken none of them is not there, and what waits for it is held in memory.',
  'LimitOptions.bodyBytes': 'a history of 1 MiB is more than models read.',
  'LimitOptions.messages': 'the same bound, for histories of tiny messages.',
  'GatewayOptions.onError':
    'what nobody is told of is never mended, and a log that fails at every run must not fill a disk.',
  'CloseOptions.saveMs': 'what stores an answer takes no longer, and a process that is told to go must go.',
  'CloseOptions.drainMs': 'a process that is told to go should go at once, unless it was told otherwise.',
  'OllamaOptions.url':
    'where Ollama listens when nobody says otherwise; `127.0.0.1`, as `localhost` may mean an IPv6 address first.',
  'Dialect.options': 'most servers know the names that OpenAI’s API has, and `top_k`.',
  'OllamaOptions.maxLineChars': 'a line is one delta, or one tool call: longer is a server gone wrong.',
  'OpenAiCompatibleOptions.url': 'each server’s own default port, or its provider’s address.',
  'OpenAiCompatibleOptions.dialect': 'it asks for nothing that is not in OpenAI’s own documentation.',
  'OpenAiCompatibleOptions.apiKey': 'a key that is sent to another server by mistake is a key lost.',
  'OpenAiCompatibleOptions.maxLineChars': 'a frame is one delta: longer is a server gone wrong.',
  'Dialect.thinkingFields': 'the names that the known servers use.',
  'Dialect.opensThinking': 'a server that takes the thinking out by itself would have its answers taken for thinking.',
  'Dialect.proof': 'it says how a reply ended; `[DONE]` says only that nothing more comes.',
  'NativeContinuation.models': 'most servers continue by template, whatever the model.',
  'HistoryOptions.thinking': 'it is unsigned, and costs tokens; a server that wants it back says so in its dialect.',
  'AnthropicOptions.url': 'the API’s own address.',
  'AnthropicOptions.apiKey': 'a key that is sent to another server by mistake is a key lost.',
  'AnthropicOptions.maxLineChars': 'a frame is one delta: longer is a server gone wrong.',
  'AnthropicOptions.maxTokens': 'the API wants a number, and this one is allowed for every current model.',
  'ReconnectOptions.maxMs': 'two minutes: after that, a person wants to decide.',
  'ChatClientOptions.schedule':
    'a screen shows no more than one state a frame; a hidden page has no frames, and would never be told.',
  'RequestOptions.model': 'who runs the gateway has chosen one.',
  'RequestOptions.think': 'models differ in whether they can, and what it costs.',
  'PersistOptions.prefix':
    'what a person who looks into the storage can make sense of; two apps of one origin that ask one gateway need two.',
  'UseChatStreamOptions.session': 'most pages have one conversation.',
  'ChatClientOptions.whenTooLong':
    'a chat that goes on is better than one that can only be cleared; the snapshot says what is left out.',
  'ChatClientOptions.gcMs':
    'long enough to come back to a conversation; then an app with many names would hold them all.',
  'ChatClientOptions.onError': 'a developer should see it, and a person may be told by `notice`.',
  'ChatClientOptions.whenBusy': 'who speaks while somebody answers cuts in.',
  'ChatClientOptions.autoContinue': 'a reply that was cut off by nobody’s wish should be whole.',
  'PersistOptions.intervalMs':
    'a write is of the whole conversation, and what a crash costs is read again from the run.',
  'LineDecoderOptions.maxChars': 'a line is one delta, or one tool call: longer is a server gone wrong.',
  'SseDecoderOptions.maxChars': 'a frame of our own wire may hold a whole reply, which the fuse bounds at 4 MiB.',
  'SseDecoderOptions.comments': 'by the standard nobody needs to hear of them.',
  'ChatErrorOptions.retryable': 'to repeat what cannot succeed is worse than to ask a person.',
  'ScriptedUpstreamOptions.model': 'a test that names no model does not care.',
  'UpstreamFault.error':
    'what our own upstreams throw when a server cannot be reached, and when it goes away in mid-answer.',
  'RandomFaultOptions.maxCutAt': 'about as much as a short answer has, so that cuts fall into it and not behind it.',
  'RandomFaultOptions.stalls': 'what hangs is the fault that apps forget.',
  'Arguments.tabs(open)': 'every browser has it, and two gateways on one origin stay apart.',
  'Arguments.UpstreamSink.end(error)': 'a body that ends by itself has no more to say.',
  'Arguments.RunLog.read(to)': 'a reader wants all there is.',
  'Arguments.ReadLog.read(to)': 'a reader wants all there is.',
  'Arguments.RunLog.partial(to)': 'what a continuation goes on from.',
  'Arguments.ReadLog.partial(to)': 'what a continuation goes on from.',
  'Arguments.Run.interrupt(position)': 'who cannot say what was shown has seen it all.',
  'Arguments.createId(random)': 'ids are all that keeps strangers apart, so they cannot be guessed.',
  'Arguments.manualClock(startAt)': 'times in a test are then what has passed.',
  'Arguments.ScriptedReply.finish(reason)': 'how most replies end.',
  'Arguments.SessionHandle.report(isShown)': 'a person should know of what is not kept.',
  'Arguments.ChatClient.session(name)': 'most pages have one conversation.',
  'RandomFaultOptions.percent': 'most requests must fail for a test to find anything, and some must not for it to end.',
}

/** Why an option's default is what it is, if that is written down. */
export function reasonOf(group: string, option: string): string | undefined {
  return reasons[`${group}.${option}`] ?? reasons[`*.${option}`]
}
