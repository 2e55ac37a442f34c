import { defineConfig } from 'vitest/config'
import config from './vitest.config.js'

const tests = [
  'core/{audience,authenticate,confirmation,jws,keys,roca-modulus,target-uri,wit,workload-identifier,wpt}.test.ts',
  'vectors/{audience-matching,identifiers,primitives,rfc7800}.test.ts',
]

/** The tests that mutants are shown to: those of the functions themselves, so that hundreds of mutants take minutes. */
export default defineConfig({
  ...config,
  test: { ...config.test, include: tests, globalSetup: [], reporters: ['dot'] },
})
