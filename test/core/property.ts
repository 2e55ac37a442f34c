import fc from 'fast-check'

// A seed that a failure prints is enough to repeat it; each run looks at new examples.
fc.configureGlobal({ numRuns: 300 })

export { fc }
