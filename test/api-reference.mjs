// Writes docs/api: every name that a package exports, with its type. `--check` compares and writes nothing.
// It reads the declarations that were built, so build first.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

// A package of CommonJS, and one of the root.
const { Extractor, ExtractorConfig } = createRequire(new URL('../package.json', import.meta.url))(
  '@microsoft/api-extractor',
)

const root = fileURLToPath(new URL('../', import.meta.url))
const reports = join(root, 'docs/api')

const COMPILER_OPTIONS = {
  target: 'es2023',
  lib: ['es2023'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
}

/** What stands in each report, by its file name. One report for each door of a package. */
export function describeApi() {
  const scratch = mkdtempSync(join(tmpdir(), 'wimse-api-'))
  try {
    return new Map(doors().map((door) => [`${door.report}.api.md`, describeDoor(door, scratch)]))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Reports that are missing, stale, or of a door that is gone. */
export function staleReports(expected = describeApi()) {
  const there = readdirSync(reports).filter((name) => name.endsWith('.api.md'))
  return [...new Set([...expected.keys(), ...there])].filter(
    (name) => !there.includes(name) || readFileSync(join(reports, name), 'utf8') !== expected.get(name),
  )
}

function doors() {
  return readdirSync(join(root, 'packages')).flatMap((name) => {
    const folder = join(root, 'packages', name)
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return Object.entries(manifest.exports).map(([door, { types }]) => ({
      folder,
      types,
      report: manifest.name + door.slice(1).replaceAll('/', '-'),
    }))
  })
}

function describeDoor({ folder, types, report }, scratch) {
  const problems = []
  const quiet = { default: { logLevel: 'none' } }
  const config = ExtractorConfig.prepare({
    configObjectFullPath: join(folder, 'api-extractor.json'),
    packageJsonFullPath: join(folder, 'package.json'),
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: join(folder, types),
      compiler: {
        overrideTsconfig: {
          // With its own compiler, which does not look for the types of Node where ours does.
          compilerOptions: { ...COMPILER_OPTIONS, typeRoots: [join(folder, 'node_modules/@types')] },
          files: [types],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: report,
        reportFolder: scratch,
        reportTempFolder: join(scratch, 'temporary'),
        includeForgottenExports: true,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      newlineKind: 'lf',
      // That each name has a docstring is held by test/rooms.test.ts.
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: quiet,
        tsdocMessageReporting: quiet,
      },
    },
  })
  Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message) => {
      if (message.logLevel === 'error') problems.push(message.text)
      message.handled = true
    },
  })
  if (problems.length > 0) throw new Error(`${report}: ${problems.join('\n')}`)
  return readFileSync(join(scratch, `${report}.api.md`), 'utf8')
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const expected = describeApi()
  if (process.argv.includes('--check')) {
    const stale = staleReports(expected)
    for (const name of stale) console.error(`docs/api/${name} is stale: run \`npm run api\``)
    process.exitCode = stale.length === 0 ? 0 : 1
  } else {
    mkdirSync(reports, { recursive: true })
    for (const name of readdirSync(reports)) if (name.endsWith('.api.md')) rmSync(join(reports, name))
    for (const [name, text] of expected) writeFileSync(join(reports, name), text)
  }
}
