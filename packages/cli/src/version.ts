import { readFileSync } from 'node:fs'

/** The version of this package, which all of the suite have. */
export function readVersion(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
