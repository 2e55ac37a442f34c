import { execFile, type ExecFileException } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Member, readMembers } from './rooms/source-files.js'

const root = fileURLToPath(new URL('../', import.meta.url))
const packages = readMembers('packages')
const page = readFileSync(join(root, 'docs/packages.md'), 'utf8')

/** A project of somebody who has installed the packages as they will be published. */
const project = mkdtempSync(join(tmpdir(), 'wimse-packages-'))
const installed = (name: string): string => join(project, 'node_modules', name)

/** The files of each package, as its tarball lists them. */
const contents = new Map<string, readonly string[]>()

beforeAll(async () => {
  for (const { folder } of packages) {
    if (existsSync(join(root, folder, 'dist/index.js'))) continue
    throw new Error(`${folder} is not built; \`npx tsc -b test\` at the root of the repository builds it`)
  }
  // One call for all of them. What `files` takes in and what becomes of `workspace:` is up to the packer.
  const pnpm = ['-y', '--prefer-offline', 'pnpm@10.34.9', '--filter', './packages/*']
  await succeed('npx', [...pnpm, 'pack', '--pack-destination', project], root)
  for (const member of packages) await install(member)
  cpSync(join(root, 'test/packages'), project, { recursive: true })
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
}, 120_000)

afterAll(() => rmSync(project, { recursive: true, force: true }))

describe.for(packages)('the tarball of $name', (member) => {
  const { name, folder, dependencies } = member

  it('holds the build, its sources, package.json and the license, and nothing else', () => {
    const files = contents.get(name)!
    expect(files).toEqual(
      expect.arrayContaining(['package.json', 'LICENSE', 'dist/index.js', 'dist/index.d.ts', 'src/index.ts']),
    )
    expect(files.includes('README.md')).toBe(existsSync(join(root, folder, 'README.md')))
    expect(strangersAmong(files)).toEqual([])
  })

  it('holds the source of every line of its build', () => {
    const files = contents.get(name)!
    const maps = files.filter((path) => path.endsWith('.js.map'))
    expect(maps.length).toBe(files.filter((path) => path.endsWith('.js')).length)
    const wanted = maps.flatMap((path) => {
      const text = readFileSync(join(installed(name), path), 'utf8')
      const { sources }: { readonly sources: readonly string[] } = JSON.parse(text)
      return sources.map((source) => posix.join(posix.dirname(path), source))
    })
    // Not a file that has outlived its source in a build folder; what is published is built from nothing.
    const there = wanted.filter((source) => existsSync(join(root, folder, source)))
    expect(there.length).toBeGreaterThan(0)
    expect(there.filter((source) => !files.includes(source))).toEqual([])
  })

  it('asks for versions that a registry can find', () => {
    const manifest = readManifest(installed(name))
    expect(JSON.stringify(manifest)).not.toContain('workspace:')
    for (const other of packages.filter((member) => dependencies.includes(member.name))) {
      expect(manifest.dependencies?.[other.name]).toBe(`^${versionOf(other)}`)
    }
  })

  it('is as large as docs/packages.md says, within a tenth', () => {
    const found = sizeOf(member)
    expect(isNear(statedSizes().get(name), found), `docs/packages.md should say: ${rowOf(name, found)}`).toBe(
      true,
    )
  })

  it('says all that a registry and an installer need, as the others do', () => {
    const manifest: Readonly<Record<string, unknown>> = JSON.parse(
      readFileSync(join(installed(name), 'package.json'), 'utf8'),
    )
    expect(manifest).toMatchObject({
      description: expect.stringMatching(/.{20,}/),
      engines: { node: '>=20.19' },
      files: ['dist', '!dist/**/*.tsbuildinfo', 'src', 'CHANGELOG.md'],
      keywords: expect.arrayContaining(['wimse']),
      license: 'MIT',
      publishConfig: { access: 'public', provenance: true },
      sideEffects: false,
      type: 'module',
    })
    expect(readFileSync(join(installed(name), 'LICENSE'), 'utf8')).toBe(
      readFileSync(join(root, 'LICENSE'), 'utf8'),
    )
    expect(Object.keys(manifest['scripts'] ?? {})).toEqual([])
    // Provenance compares it with where a package was built. All of them have it, or none.
    const [first] = packages
    const { repository } = readManifest(join(root, first!.folder))
    expect(manifest['repository']).toEqual(
      repository === undefined ? undefined : { ...repository, directory: folder },
    )
  })

  it('has nothing that publint would warn of', async () => {
    const { messages } = await publint({ pkgDir: installed(name), pack: false, strict: true })
    expect(messages).toEqual([])
  })

  it('gives its types to every resolver of ES modules', async () => {
    const { code, stdout } = await typesOf(member, 'esm-only')
    expect(code, stdout).toBe(0)
  })
})

describe('a release', () => {
  it('gives all packages one version', () => {
    const { fixed }: { readonly fixed: readonly (readonly string[])[] } = JSON.parse(
      readFileSync(join(root, '.changeset/config.json'), 'utf8'),
    )
    expect(fixed.map((group) => [...group].sort())).toEqual([packages.map(({ name }) => name).sort()])
    expect(new Set(packages.map(versionOf)).size).toBe(1)
  })

  it('puts what a changeset says into the changelogs, of packages alone', async () => {
    const copy = join(project, 'release')
    const apps = readMembers('apps')
    const manifests = [...packages, ...apps].map(({ folder }) => `${folder}/package.json`)
    for (const path of ['package.json', 'pnpm-workspace.yaml', '.changeset/config.json', ...manifests]) {
      cpSync(join(root, path), join(copy, path))
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
    writeFileSync(join(copy, '.changeset/a.md'), '---\n"wimse": minor\n---\n\nWhat is new.\n')
    const before = packages.map(versionOf)
    await succeed(process.execPath, [join(root, 'node_modules/@changesets/cli/bin.js'), 'version'], copy)
    const after = packages.map(({ folder }) => readManifest(join(copy, folder)).version)
    expect(new Set(after).size).toBe(1)
    expect(after).not.toEqual(before)
    for (const { name, folder } of packages) {
      const text = readFileSync(join(copy, folder, 'CHANGELOG.md'), 'utf8')
      expect(text).toContain(`# ${name}\n\n## ${after[0]}\n`)
      expect(text.includes('What is new.')).toBe(name === 'wimse')
    }
    expect(apps.filter(({ folder }) => existsSync(join(copy, folder, 'CHANGELOG.md')))).toEqual([])
  })

  it('is of the packages that docs/packages.md lists', () => {
    expect([...statedSizes().keys()].sort()).toEqual(packages.map(({ name }) => name).sort())
    expect(page).toContain(`\n${inWords(packages.length)} packages, one version`)
  })

  it('has in each package.json what docs/packages.md says of it, and a door more where it says so', () => {
    const rows = tableAfter('package.json')
    const said = rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`([\w]+)/g)].map(([, name]) => name!))
    const known = /^(?:name|version|description|keywords|\w*ependencies\w*)$/
    const there = packages.flatMap(({ folder }) => Object.keys(readManifest(join(root, folder))))
    expect([...new Set(said)].sort()).toEqual([...new Set(there)].filter((name) => !known.test(name)).sort())
    const doors = rows.find((row) => row.includes('`exports`'))!.matchAll(/`([\w-]+\/\w+)`/g)
    expect([...doors].map(([, door]) => door)).toEqual(
      packages.flatMap((member) => member.doors.filter((door) => door !== member.name)),
    )
  })
})

describe('the checks of a tarball', () => {
  it('would find a package that has grown, or shrunk, by more than a tenth', () => {
    const size = { files: 100, packed: 100, unpacked: 100 }
    expect(isNear(size, { files: 110, packed: 91, unpacked: 100 })).toBe(true)
    for (const member of ['files', 'packed', 'unpacked']) {
      for (const other of [89, 112]) expect(isNear(size, { ...size, [member]: other })).toBe(false)
    }
    expect(isNear(undefined, size)).toBe(false)
  })

  it('would find a test, a build log, a configuration or a key', () => {
    const strangers = ['test/a.test.ts', 'src/a.test.ts', 'dist/.tsbuildinfo', 'tsconfig.json', 'src/key.jwk']
    expect(strangersAmong(['package.json', 'dist/a.js', 'src/a/b.ts', ...strangers])).toEqual(strangers)
  })

  it('would hear of it from publint when the door opens on nothing', async () => {
    const pkgDir = join(project, 'broken')
    mkdirSync(pkgDir)
    writeFileSync(join(pkgDir, 'package.json'), '{ "name": "broken", "exports": "./missing.js" }')
    const { messages } = await publint({ pkgDir, pack: false })
    expect(messages.map(({ code }) => code)).toContain('FILE_DOES_NOT_EXIST')
  })

  it('would hear of it when a resolver finds no types, as those before `exports` do not', async () => {
    const { code, stdout } = await typesOf(packages[0]!, 'strict')
    expect(code).not.toBe(0)
    expect(stdout).toContain('NoResolution')
  })
})

describe.concurrent('a project that installs the packages', { timeout: 120_000 }, () => {
  const conversation = [
    'signed fetch 200 wimse://example.com/checkout',
    'signed inject 200 wimse://example.com/checkout',
    'unsigned 400 WIMSE_WIT_MISSING',
    '',
  ].join('\n')

  it.for(['esm.mjs', 'cjs.cjs'])('calls and is called in %s', async (program, { expect }) => {
    const { code, stdout, stderr } = await run(process.execPath, [program], project)
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: conversation })
  })

  it('starts the command of wimse-cli by its bin', async ({ expect }) => {
    const { bin }: { readonly bin: Readonly<Record<string, string>> } = JSON.parse(
      readFileSync(join(installed('wimse-cli'), 'package.json'), 'utf8'),
    )
    // One name alone: npx starts it, though it is not that of the package.
    expect(Object.keys(bin)).toEqual(['wimse'])
    const program = join(installed('wimse-cli'), bin['wimse']!)
    expect(readFileSync(program, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    const { code, stdout } = await run(process.execPath, [program, 'key', '--json'], project)
    expect({ code, made: JSON.parse(stdout) }).toMatchObject({ code: 0, made: { command: 'key' } })
  })

  it('comes in by the door alone', async ({ expect }) => {
    const deep = "import('wimse/dist/signing/credential.js')"
    const { code, stderr } = await run(process.execPath, ['--input-type=module', '--eval', deep], project)
    expect(code).not.toBe(0)
    expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  it.for([
    ['5.9.3', 'typescript-5.9', import.meta.url],
    ['6.0.3', 'typescript-6.0', import.meta.url],
    ['7.0.2', 'typescript', join(root, 'package.json')],
  ] as const)('compiles with TypeScript %s', async ([version, name, from], { expect }) => {
    const tsc = dirname(createRequire(from).resolve(`${name}/package.json`))
    expect(readManifest(tsc).version).toBe(version)
    const options = Object.entries(STRICTEST).flatMap(([option, value]) => [`--${option}`, value])
    const files = ['consumer.ts', 'consumer.cts']
    const { code, stdout } = await run(
      process.execPath,
      [join(tsc, 'bin/tsc'), ...options, ...files],
      project,
    )
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  })
})

/** Also declarations are checked, ours and those that ours name. */
const STRICTEST = {
  strict: 'true',
  exactOptionalPropertyTypes: 'true',
  skipLibCheck: 'false',
  module: 'nodenext',
  target: 'es2023',
  lib: 'es2023',
  types: 'node',
  noEmit: 'true',
}

/** Unpacks a package, and links what it depends on from the workspace, so that no registry is asked. */
async function install(member: Member): Promise<void> {
  const { name, folder, dependencies, peers } = member
  const listed = await succeed('tar', ['-tzf', tarballOf(member)], project)
  const files = listed.trim().split('\n')
  contents.set(
    name,
    files.map((path) => path.replace(/^package\//, '')),
  )
  mkdirSync(installed(name), { recursive: true })
  await succeed('tar', ['-xzf', tarballOf(member), '-C', installed(name), '--strip-components=1'], project)
  for (const other of [...dependencies, ...peers, '@types/node']) {
    if (packages.some((ours) => ours.name === other) || existsSync(installed(other))) continue
    mkdirSync(dirname(installed(other)), { recursive: true })
    symlinkSync(realpathSync(join(root, folder, 'node_modules', other)), installed(other), 'junction')
  }
}

function strangersAmong(files: readonly string[]): readonly string[] {
  const ours =
    /^(?:package\.json|README\.md|CHANGELOG\.md|LICENSE|dist\/[\w/-]+(?:\.d\.ts|\.js|\.js\.map)|src\/[\w/-]+\.ts)$/
  return files.filter((path) => !ours.test(path))
}

/** Files, and kilobytes of a thousand bytes. */
interface Size {
  readonly files: number
  readonly packed: number
  readonly unpacked: number
}

function sizeOf(member: Member): Size {
  const folder = installed(member.name)
  const bytes = contents.get(member.name)!.map((path) => statSync(join(folder, path)).size)
  return {
    files: bytes.length,
    packed: Math.round(statSync(tarballOf(member)).size / 1000),
    unpacked: Math.round(bytes.reduce((sum, one) => sum + one, 0) / 1000),
  }
}

/** The rows of a table of docs/packages.md. */
function tableAfter(marker: string): readonly string[] {
  const [, rest = ''] = page.split(`<!-- ${marker} -->\n`)
  return rest.split('\n\n')[0]!.split('\n').slice(2)
}

function inWords(count: number): string {
  return ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine', 'Ten'][count]!
}

/** What docs/packages.md says of each package. */
function statedSizes(): ReadonlyMap<string, Size> {
  const rows = tableAfter('sizes').flatMap((row) => [
    ...row.matchAll(/^\| `(.+)` \| (\d+) \| (\d+) \| (\d+) \|$/g),
  ])
  return new Map(
    rows.map(([, name, files, packed, unpacked]) => [
      name!,
      { files: Number(files), packed: Number(packed), unpacked: Number(unpacked) },
    ]),
  )
}

function rowOf(name: string, { files, packed, unpacked }: Size): string {
  return `| \`${name}\` | ${files} | ${packed} | ${unpacked} |`
}

function isNear(stated: Size | undefined, found: Size): boolean {
  if (stated === undefined) return false
  return (['files', 'packed', 'unpacked'] as const).every(
    (member) => Math.abs(found[member] - stated[member]) <= stated[member] / 10,
  )
}

/** What Are The Types Wrong says about a tarball. */
async function typesOf(member: Member, profile: 'esm-only' | 'strict'): Promise<Outcome> {
  const attw = createRequire(import.meta.url).resolve('@arethetypeswrong/cli/package.json')
  const args = [tarballOf(member), '--profile', profile, '--no-definitely-typed', '--format', 'json']
  return run(process.execPath, [join(dirname(attw), 'dist/index.js'), ...args], project)
}

interface Manifest {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly repository?: Readonly<Record<string, string>>
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

function versionOf({ folder }: Member): string {
  return readManifest(join(root, folder)).version
}

function tarballOf(member: Member): string {
  return join(project, `${member.name}-${versionOf(member)}.tgz`)
}

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function run(command: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { cwd, maxBuffer: 1 << 24 },
      (error: ExecFileException | null, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr })
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr })
        else reject(error)
      },
    )
  })
}

async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd)
  if (code === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`)
}
