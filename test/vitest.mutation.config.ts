import { defineConfig } from 'vitest/config'
import config from './vitest.config.js'

const tests = [
  'core/{audience,authenticate,confirmation,jws,keys,target-uri,wit,wit-cache,workload-identifier}.test.ts',
  'fastify/{allow,bound-tokens,faults,identity-token,interop,proof-token}.test.ts',
  'vectors/{audience-matching,identifiers,primitives,published,rfc7800}.test.ts',
  'conformance/*.test.ts',
  'properties/jose.test.ts',
]

/** The tests that mutants are shown to: those that are about tokens, and quick. */
export default defineConfig({
  ...config,
  test: { ...config.test, include: tests, globalSetup: [], reporters: ['dot'] },
})
