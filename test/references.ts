/** A test as a document names it: its path below test/, and how its title begins. */
export const REFERENCE: RegExp = /`([\w./-]+\.ts)` "([^"\n]+)"/g

/** The text of a test file by its path below test/, or null when there is none. */
export type ReadTest = (path: string) => string | null

/**
 * Finds tests that a document names and that do not exist. A title is text that begins a string: of a test,
 * of a row of its table, or of its group.
 */
export function faultsOfReferences(document: string, readTest: ReadTest): string[] {
  return [...document.matchAll(REFERENCE)].flatMap(([, path, title]) => {
    const source = readTest(path!)
    if (source === null) return [`there is no test ${path}`]
    return ["'", '"', '`'].some((quote) => source.includes(quote + title))
      ? []
      : [`${path} has no "${title}"`]
  })
}
