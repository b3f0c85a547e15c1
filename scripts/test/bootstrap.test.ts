import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { installStamp, nodeIsNewEnough, startTarget, summarize } from '../bootstrap.mjs'
import { fixture, write } from './fixture.ts'

describe('bootstrap', () => {
  it('wants Node 20.19', () => {
    const versions = ['18.20.0', '20.18.3', '20.19.0', '22.0.0']
    expect(versions.map((version) => nodeIsNewEnough(version))).toEqual([false, false, true, true])
  })

  it('installs again when a manifest, the lockfile or Node changes', () => {
    const { root } = fixture({ 'package.json': '{}', 'pnpm-lock.yaml': 'a', 'packages/x/package.json': '{}' })
    const stamp = installStamp(root, 'v20.19.0')
    expect(installStamp(root, 'v20.19.0')).toBe(stamp)
    expect(installStamp(root, 'v22.0.0')).not.toBe(stamp)
    write(root, { 'packages/x/package.json': '{ "dependencies": {} }' })
    expect(installStamp(root, 'v20.19.0')).not.toBe(stamp)
  })

  it('counts a file that does not load as a failure', () => {
    const testResults = [
      { status: 'failed', assertionResults: [{ status: 'failed' }] },
      { status: 'failed', assertionResults: [] },
    ]
    const report = { numPassedTests: 4, numFailedTests: 1, numPendingTests: 2, testResults }
    expect(summarize(report)).toEqual({ passed: 4, failed: 2, skipped: 2 })
  })

  it('npm start runs the built command', () => {
    expect(startTarget('root')).toBe(join('root', 'packages', 'cli', 'dist', 'bin.js'))
  })
})
