import { check, describe } from '@regimen/core'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Runtime, Session, SessionOptions } from './runtime/runtime.ts'
