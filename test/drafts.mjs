// Says which drafts of SPEC-MAP.md have a newer revision. It asks https://datatracker.ietf.org, and so is no test.
// Ends with 1 when there is a newer one, and with 2 when one could not be asked about.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const TRACKER = 'https://datatracker.ietf.org/api/v1/doc/document/'

/** The drafts in a map's table of documents, each with the newest revision that it names. */
export function draftsIn(map) {
  const newest = new Map()
  for (const [, name, revision] of map.matchAll(/^\| (draft-[a-z0-9-]+) \| -(\d\d)(?= |$)/gm)) {
    if (revision > (newest.get(name) ?? '')) newest.set(name, revision)
  }
  return [...newest].map(([name, revision]) => ({ name, revision }))
}

/** Asks about each draft what its revision is now; one that cannot be asked about has a reason instead. */
export async function askAbout(drafts, fetchDocument = fetch) {
  return Promise.all(
    drafts.map(async ({ name, revision }) => {
      try {
        return { name, revision, now: await revisionOf(name, fetchDocument) }
      } catch (error) {
        return { name, revision, reason: error.cause?.code ?? error.message }
      }
    }),
  )
}

async function revisionOf(name, fetchDocument) {
  const response = await fetchDocument(`${TRACKER}${name}/`, {
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) throw new Error(`status ${response.status}`)
  const document = await response.json()
  if (document.name !== name || !/^\d\d$/.test(document.rev)) throw new Error('the answer is of another form')
  return document.rev
}

/** One line for each draft, and how to end. */
export function report(answers) {
  const lines = answers.map(({ name, revision, now, reason }) => {
    if (now === undefined) return `${name}: not known (${reason})`
    if (now === revision) return `${name}: -${now}, as in SPEC-MAP.md`
    return now > revision
      ? `${name}: -${now} is newer than -${revision} of SPEC-MAP.md`
      : `${name}: -${now} is the newest, and SPEC-MAP.md has -${revision}`
  })
  const isNewer = answers.some(({ revision, now }) => now !== undefined && now !== revision)
  const isUnknown = answers.some(({ now }) => now === undefined)
  return { lines, exitCode: isUnknown ? 2 : isNewer ? 1 : 0 }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const map = readFileSync(new URL('../SPEC-MAP.md', import.meta.url), 'utf8')
  const { lines, exitCode } = report(await askAbout(draftsIn(map)))
  console.log(lines.join('\n'))
  process.exitCode = exitCode
}
