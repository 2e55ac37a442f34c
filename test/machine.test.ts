import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { realParts } from './machine.js'

describe('this machine', () => {
  for (const { name, path, versionFlag } of realParts) {
    it.skipIf(path === null)(`runs ${name}`, () => {
      const { status, stdout, stderr } = spawnSync(path!, [versionFlag], { encoding: 'utf8' })
      expect(status).toBe(0)
      expect(stdout + stderr).toMatch(/\d+\.\d+/)
    })
  }
})
