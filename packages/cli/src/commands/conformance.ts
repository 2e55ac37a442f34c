import type { Command } from '../command.js'
import type { Outcome } from '../conformance/outcome.js'
import {
  type DerivedVectors,
  type PublishedVectors,
  runDerived,
  runPublished,
} from '../conformance/request-vectors.js'
import { readVectorFiles, type VectorFile } from '../conformance/vector-file.js'
import { isWimseConformance, runWimseConformance } from '../conformance/wimse-conformance.js'
import { EXIT, Failure, inputFailure } from '../failure.js'
import { printable } from '../printable.js'

/** `wimse conformance` */
export const conformanceCommand: Command = {
  name: 'conformance',
  summary: 'Run test vectors against this implementation.',
  operands: 'DIR|FILE',
  options: {
    strict: { about: 'count vectors that are answered otherwise on purpose as failed' },
  },
  notes: [
    'Understands the vectors that this suite publishes (vectors.json), files with defaults and cases of the same kind, ' +
      'and folders of wimse-conformance/v2 to v6 with their manifest.json, of which the suites identifier, wit and wpt ' +
      'are run and others are skipped. The clock is the one of the vectors; --now has no meaning.',
    'Ends with 1 when a vector came out otherwise.',
  ],
  positionals: [1, 1],
  takesFiles: true,
  examples: ['wimse conformance test/vectors/published', 'wimse conformance vectors --json > report.json'],
  async run({ given, terminal, json }) {
    const [path] = given.positionals
    const files = (await readVectorFiles(path!, terminal)).filter(isVectors)
    if (files.length === 0) {
      throw inputFailure('no file there is one of vectors', 'wimse conformance --help lists the formats.')
    }
    const outcomes = (await Promise.all(files.map(runFile))).flat()
    const isFault = ({ result }: Outcome): boolean =>
      result === 'failed' || (given.has('strict') && result === 'differs')
    const counts = countsOf(outcomes)
    if (counts.passed + counts.failed + counts.differs === 0) {
      throw inputFailure(
        `none of the vectors there can be run, and ${counts.skipped} were skipped`,
        'wimse conformance --help lists the formats and suites that can.',
      )
    }
    const failed = outcomes.some(isFault)
    if (json) {
      const told = outcomes.filter(({ result }) => result !== 'passed')
      const document = { command: 'conformance', conforms: !failed, counts, outcomes: told }
      terminal.stdout(`${JSON.stringify(document, null, 2)}\n`)
    } else {
      terminal.stdout(linesFor(outcomes))
      terminal.stdout(
        `${counts.passed} passed, ${counts.failed} failed, ${counts.differs} answered otherwise on purpose, ` +
          `${counts.skipped} skipped\n`,
      )
    }
    return failed ? EXIT.refused : EXIT.done
  },
}

/** A JSON schema beside the vectors is none. */
function isVectors({ document }: VectorFile): boolean {
  return isWimseConformance(document) || isPublished(document) || isDerived(document)
}

function isPublished(document: object): document is PublishedVectors {
  return 'service' in document && 'cases' in document && Array.isArray(document.cases)
}

function isDerived(document: object): document is DerivedVectors {
  return 'defaults' in document && 'cases' in document && Array.isArray(document.cases)
}

async function runFile({ name, document }: VectorFile): Promise<readonly Outcome[]> {
  try {
    if (isWimseConformance(document)) return await runWimseConformance(name, document)
    return await (isPublished(document)
      ? runPublished(name, document)
      : runDerived(name, document as unknown as DerivedVectors))
  } catch (error) {
    if (error instanceof Failure || !(error instanceof TypeError)) throw error
    throw inputFailure(
      `the vectors: ${name} is not as its format asks`,
      'Look for a member that is missing, or of another type.',
    )
  }
}

function countsOf(outcomes: readonly Outcome[]): Readonly<Record<Outcome['result'], number>> {
  const counts = { passed: 0, failed: 0, differs: 0, skipped: 0 }
  for (const { result } of outcomes) counts[result]++
  return counts
}

function linesFor(outcomes: readonly Outcome[]): string {
  return outcomes
    .filter(({ result }) => result !== 'passed')
    .map(({ id, result, expected, received, reason }) => {
      const compared =
        expected === null
          ? ''
          : `\n    expected  ${printable(expected)}\n    received  ${printable(received ?? '')}`
      return `${result.padEnd(9)}${printable(id)}${compared}${reason === null ? '' : `\n    because   ${printable(reason)}`}\n`
    })
    .join('')
}
