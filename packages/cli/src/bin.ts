#!/usr/bin/env node
import { enableProdMode } from '@tensorflow/tfjs'
import { main } from './main.ts'

// Otherwise tfjs advertises its native backend on every start.
enableProdMode()

const abort = new AbortController()
process.once('SIGINT', () => abort.abort(new Error('interrupted')))
process.once('SIGTERM', () => abort.abort(new Error('terminated')))

void main(process.argv.slice(2), { out: process.stdout, err: process.stderr, signal: abort.signal }).then((code) => {
  process.exitCode = code
})
