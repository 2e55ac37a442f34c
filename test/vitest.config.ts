import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const source = (path: string): string => fileURLToPath(new URL(`../${path}/src/index.ts`, import.meta.url))

/** A minute in one file: begun last, it would be waited for alone. */
const LONGEST = 'properties/properties.test.ts'

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification): number => Number(moduleId.endsWith(LONGEST))
    return (await super.sort(files)).toSorted((a, b) => isLongest(b) - isLongest(a))
  }
}

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['**/*.test.ts'],
    testTimeout: 30_000,
    // Not one less than there are cores, as it would be: half of the time goes by waiting for real clocks.
    maxWorkers: Math.max(2, availableParallelism()),
    sequence: { sequencer: LongestFirst },
    globalSetup: ['./global-setup.ts'],
    reporters: ['default', ['json', { outputFile: '.results.json' }]],
    typecheck: { enabled: false },
  },
  resolve: {
    // From source, so that a stack trace and a coverage report name the line that was written. What is
    // published is tested from packed tarballs in packages.test.ts.
    alias: {
      'fastify-wimse': source('packages/fastify'),
      'fastify-wimse-client': source('packages/fastify-client'),
      'wimse-cli': source('packages/cli'),
      'wimse-redis': source('packages/redis'),
      'wimse-spiffe': source('packages/spiffe'),
      'wimse-testkit': source('packages/testkit'),
      'wimse/explain': fileURLToPath(new URL('../packages/core/src/explain.ts', import.meta.url)),
      'wimse/opentelemetry': fileURLToPath(new URL('../packages/core/src/opentelemetry.ts', import.meta.url)),
      wimse: source('packages/core'),
      '@wimse-demo/identity-server': source('apps/identity-server'),
      '@wimse-demo/inventory': source('apps/inventory'),
      '@wimse-demo/checkout': source('apps/checkout'),
      '@wimse-demo/console': source('apps/console'),
    },
  },
})
