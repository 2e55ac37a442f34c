import { mergeConfig } from 'vitest/config'
import config from './vitest.config.js'

/** What takes longer than anyone would wait for in `npm test`. */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [], reporters: ['verbose'] } },
  { test: { include: ['slow/**/*.slow.ts'], testTimeout: 120_000, hookTimeout: 60_000 } },
)
