/**
 * What a broker engine must do: take responsibility before it confirms, bring each message to each consumer at least once, hold to
 * prefetch and order, and end cleanly. Consumers and topics are new in every case, so the cases may share one broker.
 */
import type { BrokerEngine } from '../../engine/broker.ts'
import { answering } from './broker-answering.ts'
import { confirming } from './broker-confirming.ts'
import { delivering } from './broker-delivering.ts'
import { ending } from './broker-ending.ts'
import type { ConformanceCase } from './conformance-case.ts'

/** What a broker engine must do, as cases for any test runner. */
export const brokerConformance: readonly ConformanceCase<BrokerEngine>[] = [...delivering, ...answering, ...confirming, ...ending]
