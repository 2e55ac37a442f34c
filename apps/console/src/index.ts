/**
 * The terminal tour of the demo: starts the services and shows what they let in and what they refuse.
 *
 * @module
 */
export { type Embedded, type EmbeddedOptions, startEmbedded } from './embedded.js'
export { freePort } from './free-port.js'
export { type Output, run } from './run.js'
export type { Services } from './services.js'
export { formatTable } from './table.js'
export { type Outcome, takeTour, tour, type TourCall, type TourLine } from './tour.js'
