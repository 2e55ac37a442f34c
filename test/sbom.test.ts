import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readMembers } from './rooms/source-files.js'
import { billOfMaterials } from './sbom.mjs'

describe('npm run sbom', () => {
  const bill = billOfMaterials()
  const { components, dependencies } = bill
  const packages = readMembers('packages')
  const own = new Set(packages.map(({ name }) => name))
  const purlOf = (name: string): string =>
    components.find((component) => component.name === name)?.purl ?? `no component ${name}`

  it('has every package of the suite with all that it stands on, and no peer', () => {
    for (const { name, dependencies: wanted, peers } of packages) {
      const edges = dependencies.find(({ ref }) => ref === purlOf(name))
      expect([...(edges?.dependsOn ?? [])].sort(), name).toEqual(wanted.map(purlOf).sort())
      for (const peer of peers) expect(purlOf(peer)).toBe(`no component ${peer}`)
    }
  })

  it('has each component once, joined to the others, and none that nothing needs', () => {
    const refs = components.map((component) => component['bom-ref'])
    expect(new Set(refs).size).toBe(refs.length)
    expect(refs.length).toBeGreaterThan(packages.length + 10)
    const needed = new Set(dependencies.flatMap(({ dependsOn }) => dependsOn))
    expect([...needed].sort()).toEqual([...refs].sort())
    expect(dependencies.map(({ ref }) => ref).sort()).toEqual([...refs, 'wimse-suite'].sort())
  })

  it('says of each that is not ours its licence and the hash that the lockfile has', () => {
    const lockfile = readFileSync(new URL('../pnpm-lock.yaml', import.meta.url), 'utf8')
    for (const { name, hashes, licenses } of components) {
      expect(licenses).toHaveLength(1)
      if (own.has(name)) continue
      expect(hashes, name).toHaveLength(1)
      const { alg, content } = hashes![0]!
      const integrity = `${alg.toLowerCase().replace('-', '')}-${Buffer.from(content, 'hex').toString('base64')}`
      expect(lockfile).toContain(`{integrity: ${integrity}}`)
    }
  })

  it('is the same text each time', () => {
    expect(JSON.stringify(billOfMaterials())).toBe(JSON.stringify(bill))
  })
})
