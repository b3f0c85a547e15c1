import { createRng } from '@regimen/core'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, test } from 'vitest'
import {
  hierarchicalTimeframeNet,
  lstm,
  paramsFromSafetensors,
  paramsFromSnapshot,
  paramsToSafetensors,
  paramsToSnapshot,
  toArrays,
  toTensors,
} from '../src/index.ts'

beforeAll(() => tf.setBackend('cpu'))

const net = hierarchicalTimeframeNet({ timeframes: ['1d', '1h'], hidden: 4 })

test('parameters survive safetensors and snapshots bit by bit, as do tensors', () => {
  const params = net.init(createRng(1))
  const form = net.init(createRng(2))
  expect(paramsFromSafetensors(paramsToSafetensors(params), form)).toEqual(params)
  expect(paramsFromSafetensors(paramsToSafetensors(toTensors(params)), form)).toEqual(params)
  const snapshot = paramsToSnapshot(params, { id: 'example/net', version: 2, config: { hidden: 4 } })
  expect(snapshot).toMatchObject({ id: 'example/net', version: 2, config: { hidden: 4 } })
  expect(paramsFromSnapshot(snapshot, form)).toEqual(params)
  expect(toArrays(toTensors(params))).toEqual(params)
})

test('a file names its tensors by their path', () => {
  const header = new TextDecoder().decode(paramsToSafetensors(net.init(createRng(1)), { trained: 'yes' }))
  expect(header).toContain('"encoders.1h.0.kernel"')
  expect(header).toContain('"trained":"yes"')
})

test('a leaf that is missing or has another shape is named', () => {
  const file = paramsToSafetensors(net.init(createRng(1)))
  const wider = hierarchicalTimeframeNet({ timeframes: ['1d', '1h'], hidden: 6 }).init(createRng(1))
  expect(() => paramsFromSafetensors(file, wider)).toThrow(
    'encoders.1d.0.kernel must be float32 [45, 6], got float32 [45, 4].',
  )
  expect(() => paramsFromSafetensors(file, lstm({ inputs: 1, hidden: 1 }).init(createRng(1)))).toThrow(
    'kernel is missing',
  )
})
