// Fuzzes for as long as one likes: npm run fuzz -- --minutes 60 [--seed 1]
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
for (const [name, value] of Object.entries(values)) {
  if (!Number.isFinite(Number(value))) throw new TypeError(`--${name} is not a number`)
}

const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', join(here, 'vitest.slow.config.ts'), 'slow/fuzz'],
  {
    stdio: 'inherit',
    cwd: here,
    env: {
      ...process.env,
      ...(values.minutes === undefined ? {} : { FUZZ_MINUTES: values.minutes }),
      ...(values.seed === undefined ? {} : { FUZZ_SEED: values.seed }),
    },
  },
)
process.exitCode = status ?? 1
