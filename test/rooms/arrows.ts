import { fileOf, type Import, importsOf, type Member, packageOf, type SourceFile } from './source-files.js'

/**
 * Finds imports that a member of the workspace may not make: of a file outside its own `src`, of a package
 * its package.json does not name, of a peer other than by `import type` (but behind a door of its own, which
 * nobody without the peer opens), and of another member other than by one of its doors.
 */
export function strayImports(
  member: Member,
  files: readonly SourceFile[],
  workspace: readonly Member[],
): readonly string[] {
  const paths = new Set(files.map(({ path }) => path))
  return files.flatMap(importsOf).flatMap((one) => {
    const fault = faultOf(one)
    return fault === null ? [] : [`${one.from} imports ${one.specifier}: ${fault}`]
  })

  function faultOf(one: Import): string | null {
    const file = fileOf(one)
    if (file !== null) return paths.has(file) ? null : `not a file of ${member.folder}/src`
    const name = packageOf(one)
    if (name === null) return null
    if (member.peers.includes(name)) {
      return one.typeOnly || isDoorOfItsOwn(one) ? null : 'a peer, for its types alone'
    }
    if (!member.dependencies.includes(name)) return `not a dependency of ${member.name}`
    const other = workspace.find((candidate) => candidate.name === name)
    return other === undefined || other.doors.includes(one.specifier) ? null : 'not a door'
  }

  /** A door beside the first: `src/part.ts` of `wimse/part`. */
  function isDoorOfItsOwn({ from }: Import): boolean {
    const subpath = /^\/src\/([^/]+)\.ts$/.exec(from.slice(member.folder.length))?.[1]
    return member.doors.includes(`${member.name}/${subpath}`)
  }
}

/** Finds dependencies that no file of a member imports. */
export function idleDependencies(member: Member, files: readonly SourceFile[]): readonly string[] {
  const imported = new Set(files.flatMap(importsOf).map(packageOf))
  return [...member.dependencies, ...member.peers].filter((name) => !imported.has(name))
}

/**
 * What each room of a package may import beside its own files. A room is a folder, a file at the root, or one
 * file that is held to more than its folder. `type x` allows `import type` alone.
 */
export type Rooms = Readonly<Record<string, readonly string[]>>

/** Finds imports through a wall between two rooms of a package, and files that are in no room. */
export function importsThroughWalls(rooms: Rooms, files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const room = roomOf(rooms, file.path)
    if (room === null) return [`${file.path} is in no room`]
    return importsOf(file).flatMap((one) => {
      const path = fileOf(one)
      const wanted = path === null ? one.specifier : (roomOf(rooms, path) ?? path)
      if (wanted === room || rooms[room]!.includes(wanted)) return []
      if (one.typeOnly && rooms[room]!.includes(`type ${wanted}`)) return []
      return [`${file.path} imports ${one.specifier}: ${room} may not import ${wanted}`]
    })
  })
}

function roomOf(rooms: Rooms, path: string): string | null {
  const [, file, folder] = /\/src\/(([^/]+).*)\.ts$/.exec(path) ?? []
  return [file!, folder!].find((name) => Object.hasOwn(rooms, name)) ?? null
}

/** Finds entries of a table of rooms that name a room further down, so that what is left runs one way. */
export function arrowsPointingUp(rooms: Rooms): readonly string[] {
  const order = Object.keys(rooms)
  return order.flatMap((room, index) =>
    rooms[room]!.filter((entry) => order.indexOf(entry.replace(/^type /, '')) >= index).map(
      (entry) => `${room} → ${entry}`,
    ),
  )
}

/** Finds the files that import each other in a ring once types are gone, and any file between two rings. */
export function filesInCycles(files: readonly SourceFile[]): readonly string[] {
  const arrows = runtimeArrows(files)
  let left = files.map(({ path }) => path)
  for (;;) {
    const inside = arrows.filter(([from, to]) => left.includes(from) && left.includes(to))
    const kept = left.filter(
      (path) => inside.some(([from]) => from === path) && inside.some(([, to]) => to === path),
    )
    if (kept.length === left.length) return kept.sort()
    left = kept
  }
}

/** Finds the packages, modules of Node and globals that some files need at run time, themselves or through others. */
export function reachOf(starts: readonly string[], files: readonly SourceFile[]): readonly string[] {
  const arrows = runtimeArrows(files)
  const reached = new Set(starts)
  for (const path of reached) for (const [from, to] of arrows) if (from === path) reached.add(to)
  return [...reached].filter((name) => !files.some(({ path }) => path === name)).sort()
}

function runtimeArrows(files: readonly SourceFile[]): readonly (readonly [from: string, to: string])[] {
  return files
    .flatMap(importsOf)
    .filter(({ typeOnly }) => !typeOnly)
    .map((one) => [one.from, fileOf(one) ?? one.specifier] as const)
}
