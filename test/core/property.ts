import { configureGlobal } from 'fast-check'

export * as fc from 'fast-check'

// A seed that a failure prints is enough to repeat it; each run looks at new examples.
configureGlobal({ numRuns: 300 })
