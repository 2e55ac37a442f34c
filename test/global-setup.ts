import { realParts, sharedVectors } from './machine.js'

/** Says before the first test what this machine lacks, so that no skipped test goes unnoticed. */
export default function announceSkips(): void {
  const missing = [
    ...realParts.filter(({ path }) => path === null).map(({ name }) => `${name} is not installed`),
    ...(sharedVectors === null ? ['the shared test vectors are not beside this repository'] : []),
  ]
  if (missing.length === 0) return
  const line = '!'.repeat(78)
  process.stderr.write(`\n${line}\n`)
  for (const what of missing) process.stderr.write(`!!! TESTS WILL BE SKIPPED: ${what}\n`)
  process.stderr.write(`${line}\n\n`)
}
