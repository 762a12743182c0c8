export { gatewayFetch } from './gateway-fetch.ts'
export { manualClock, type ManualClock } from './manual-clock.ts'
export { scriptedUpstream, type ScriptedReply, type ScriptedUpstream } from './scripted-upstream.ts'
