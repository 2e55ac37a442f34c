// Writes sbom.cdx.json: what the packages of this suite bring along, as CycloneDX 1.6, from the lockfile.
// Without a time or a serial number, so that one lockfile gives one text.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))

/** The bill of materials as an object. Peers (`fastify`) are not in it: their versions are the project's that installs. */
export function billOfMaterials() {
  const components = new Map()
  const edges = new Map()
  const integrity = readIntegrity()

  const add = (name, { version, path, dependencies = {} }) => {
    const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
    // A package of the workspace is listed as a link, without what it depends on: that comes with its own entry.
    const linked = version.startsWith('link:')
    const ref = purlOf(name, manifest.version)
    components.set(ref, componentOf(ref, manifest, integrity.get(`${name}@${manifest.version}`)))
    const below = Object.entries(dependencies).map(([other, entry]) => add(other, entry))
    if (!linked) edges.set(ref, [...new Set([...(edges.get(ref) ?? []), ...below])].sort())
    return ref
  }
  const own = listed().map(({ name, ...entry }) => add(name, entry))

  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': 'wimse-suite',
        name: 'wimse-suite',
        licenses: licensesOf('MIT'),
      },
    },
    components: [...components.values()].sort(byRef),
    dependencies: [
      { ref: 'wimse-suite', dependsOn: own.sort() },
      ...[...edges].sort().map(([ref, dependsOn]) => ({ ref, dependsOn })),
    ],
  }
}

function listed() {
  const pnpm = ['-y', '--prefer-offline', 'pnpm@10.34.9', '--filter', './packages/*']
  const list = ['list', '--json', '--prod', '--depth', 'Infinity', '--lockfile-only']
  return JSON.parse(
    execFileSync('npx', [...pnpm, ...list], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }),
  )
}

/** What the lockfile says of the tarball of each package. */
function readIntegrity() {
  const lockfile = readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')
  const entries = lockfile.matchAll(
    /^ {2}'?((?:@[^@/]+\/)?[^@'\s]+@[^:'\s]+)'?:\n {4}resolution: \{integrity: ([^}]+)\}/gm,
  )
  return new Map([...entries].map(([, id, value]) => [id, value]))
}

function componentOf(ref, { name, version, description, license }, integrity) {
  const [, algorithm, digest] = /^(sha\d+)-(.+)$/.exec(integrity ?? '') ?? []
  return {
    type: 'library',
    'bom-ref': ref,
    name,
    version,
    ...(description === undefined ? {} : { description }),
    licenses: licensesOf(license),
    purl: ref,
    ...(digest === undefined
      ? {}
      : {
          hashes: [
            {
              alg: algorithm.toUpperCase().replace('SHA', 'SHA-'),
              content: Buffer.from(digest, 'base64').toString('hex'),
            },
          ],
        }),
  }
}

function licensesOf(license) {
  return [/^[\w.+-]+$/.test(license) ? { license: { id: license } } : { expression: license }]
}

function purlOf(name, version) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

function byRef(a, b) {
  return a['bom-ref'] < b['bom-ref'] ? -1 : 1
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(join(root, 'sbom.cdx.json'), `${JSON.stringify(billOfMaterials(), null, 2)}\n`)
}
