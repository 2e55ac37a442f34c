// How the benches measure: cases take turns, so that whatever else the machine does is done to all of them, and
// a figure is the median over the rounds. Ratios between cases of one run mean something; microseconds do not.
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Says what a run is of. */
export function title() {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
  console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}, commit ${commit}\n`)
}

/** The middle of some numbers. */
export const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

/** What a quarter of some numbers stay below. */
export const lowerQuartile = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 2]

/** One case as a share of another: the median of the rounds' own shares. */
export const ratio = (some, floor) => median(some.map((time, round) => time / floor[round]))

/**
 * Runs cases in turn, and gives the CPU microseconds of each round of each: of this thread's whole process, so
 * that what the collector and the thread pool do is counted.
 *
 * @param cases by name, `{ prepare, run }`; what `prepare` gives is made outside of the measurement
 */
export async function interleaved(cases, { rounds = 41, warmUp = 15 } = {}) {
  const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]))
  for (let round = -warmUp; round < rounds; round++) {
    for (const [name, { prepare, run }] of Object.entries(cases)) {
      const prepared = prepare()
      const before = process.cpuUsage()
      await run(prepared)
      const { user, system } = process.cpuUsage(before)
      if (round >= 0) times[name].push(user + system)
    }
  }
  return times
}

/** Fits into the young generation, whatever each of them takes: a collection in between would hide what it took. */
const FEW = 100

/**
 * Gives the bytes of V8's heap that each call of a case takes, of which the collector has to rid it again: the median
 * of some runs after a collection. What is outside of the heap, such as a signature in OpenSSL, is not in it.
 *
 * @param cases as {@link interleaved}; `run` takes any number of what `prepare` gives
 */
export async function allocated(cases, { rounds = 15 } = {}) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  const bytes = {}
  for (const [name, { prepare, run }] of Object.entries(cases)) {
    const taken = []
    for (let round = 0; round < rounds; round++) {
      const prepared = prepare().slice(0, FEW)
      collect()
      const before = process.memoryUsage().heapUsed
      await run(prepared)
      taken.push(process.memoryUsage().heapUsed - before)
    }
    bytes[name] = median(taken) / FEW
  }
  return bytes
}

/**
 * Prints a table: what, its median in microseconds, its share, of what, what it should be, and, where that was
 * measured, the bytes it takes of the heap.
 */
export function show(heading, rows, { each = 200, bytes = null } = {}) {
  const names = ['', 'µs', 'ratio', '', 'asked', ...(bytes === null ? [] : ['heap bytes'])]
  const sides = ['---', '---:', '---:', '---', '---', ...(bytes === null ? [] : ['---:'])]
  console.log(`${heading}\n\n| ${names.join(' | ')} |\n| ${sides.join(' | ')} |`)
  for (const [what, times, share, of, asked, name] of rows) {
    const cells = [what, (median(times) / each).toFixed(1), share?.toFixed(2) ?? '', of, asked]
    if (bytes !== null) cells.push(Math.round(bytes[name]))
    console.log(`| ${cells.join(' | ')} |`)
  }
  console.log()
}
