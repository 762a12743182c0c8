export { type Ending, type Fault } from './fault.ts'
export { faultyFetch, type FaultyRequest, type FetchFault, type FetchFaultPlan } from './faulty-fetch.ts'
export { faultyUpstream, type UpstreamFault, type UpstreamFaultPlan } from './faulty-upstream.ts'
export { gatewayFetch } from './gateway-fetch.ts'
export { manualClock, type ManualClock } from './manual-clock.ts'
export { randomFetchFaults, randomUpstreamFaults, type RandomFaultOptions } from './random-faults.ts'
export {
  scriptedUpstream,
  type ScriptedReply,
  type ScriptedUpstream,
  type ScriptedUpstreamOptions,
} from './scripted-upstream.ts'
export { seededRandom, type SeededRandom } from './seeded-random.ts'
