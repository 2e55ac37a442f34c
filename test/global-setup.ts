import { realParts, sharedVectors, wycheproofKeySets } from './machine.js'

/** Says before the first test what this machine lacks, so that no skipped test goes unnoticed. */
export default function announceSkips(): void {
  const missing = [
    ...realParts.filter(({ path }) => path === null).map(({ name }) => `${name} is not installed`),
    ...(sharedVectors === null ? ['the shared test vectors are not beside this repository'] : []),
  ]
  const told = [
    ...missing.map((what) => `TESTS WILL BE SKIPPED: ${what}`),
    ...(wycheproofKeySets === null ? ["NOT HERE, ONLY OUR OWN LIKE THEM: Wycheproof's key sets"] : []),
  ]
  if (told.length === 0) return
  const line = '!'.repeat(78)
  process.stderr.write(`\n${line}\n`)
  for (const what of told) process.stderr.write(`!!! ${what}\n`)
  process.stderr.write(`${line}\n\n`)
}
