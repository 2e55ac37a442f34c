/**
 * The demo: starts the services, shows in a tour of the terminal what they let in and what they refuse, and
 * serves a page to look into requests.
 *
 * @module
 */
export { tourAgainst } from './against.js'
export { type Board, type BoardCaller, type BoardRoute, joinReports, type ReplicaReport } from './board.js'
export {
  type Attempt,
  type ConsoleOptions,
  type ConsoleSettings,
  createConsole,
  type Replica,
  type RunningConsole,
  startConsole,
} from './console.js'
export { type Embedded, type EmbeddedOptions, startEmbedded } from './embedded.js'
export type { Exchange } from './exchange.js'
export { freePort } from './free-port.js'
export { type Output, run } from './run.js'
export { provision } from './provision.js'
export { createOriginGuard } from './same-origin.js'
export type { Sample } from './sample.js'
export type { Services } from './services.js'
export { formatTable } from './table.js'
export { type Outcome, type Send, takeTour, tour, type TourCall, type TourLine, type Visit } from './tour.js'
export { enrolVisitor, type Visitor } from './visitor.js'
