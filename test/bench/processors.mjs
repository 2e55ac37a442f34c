// Keeps what is measured and what measures it apart, where Linux's taskset is there and more than one processor:
// what is measured has the first to itself.
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'

const canKeepApart = cpus().length > 1 && spawnSync('taskset', ['--version']).error === undefined

/** Options of `fork` for a process that is to have the first processor, with all of its threads. */
export const onFirst = canKeepApart
  ? { execPath: 'taskset', execArgv: ['-c', '0', process.execPath] }
  : { execArgv: [] }

/** Options of `fork` for a process that is to have the others. */
export const onOthers = canKeepApart
  ? { execPath: 'taskset', execArgv: ['-c', others(), process.execPath] }
  : { execArgv: [] }

/** Moves this process to the first processor. */
export const moveToFirst = () => move('0')

/** Moves this process, and those it starts from now on, to the others. */
export const moveToOthers = () => move(others())

/** What a table says of it. */
export const arrangement = canKeepApart
  ? 'What is measured has one processor to itself.'
  : '**What is measured shares its processors with what measures it.**'

function others() {
  return cpus().length === 2 ? '1' : `1-${cpus().length - 1}`
}

function move(processors) {
  if (canKeepApart) spawnSync('taskset', ['-a', '-c', '-p', processors, `${process.pid}`])
}
