import { createHash } from 'node:crypto'
import { check, describe } from '@regimen/core'
import type { Split, SplitArm } from '../catalogue.ts'
import { checkName } from '../names.ts'

/** Who answers for a key. */
export interface Assignment {
  readonly arm: string
  /** The arm's alias or version number, for `model.at`. */
  readonly ref: string | number
  /** Arms that answer beside it without being acted upon. */
  readonly shadows: readonly { readonly arm: string; readonly ref: string | number }[]
}

/**
 * Assigns a key to an arm by weighted rendezvous hashing: each arm draws u from (0, 1) by hashing salt, arm and key, and the
 * arm with the largest −w / ln u wins, which happens with probability w / Σw. Changing one arm's weight moves only keys to or
 * from that arm.
 *
 * Reference: D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates", 1998 (rendezvous hashing).
 */
export function assignArm({ arms, salt }: Split, key: string): Assignment {
  let best: { arm: string; ref: string | number } | undefined
  let highest = Number.NEGATIVE_INFINITY
  const shadows: { arm: string; ref: string | number }[] = []
  for (const [arm, { ref, weight, shadow }] of Object.entries(arms)) {
    if (shadow) shadows.push({ arm, ref })
    if (shadow || weight === 0) continue
    const score = -weight / Math.log(uniform(`${salt}\0${arm}\0${key}`))
    if (score > highest) {
      highest = score
      best = { arm, ref }
    }
  }
  return { ...best!, shadows }
}

/** A number strictly between 0 and 1 from 53 bits of sha-256. */
function uniform(text: string): number {
  const digest = createHash('sha256').update(text).digest()
  return (Number(digest.readBigUInt64BE(0) >> 11n) + 0.5) / 2 ** 53
}

/** Refuses splits that cannot assign. */
export function checkArms(arms: { readonly [arm: string]: SplitArm }): void {
  const where = 'store/split'
  for (const [arm, { ref, weight }] of Object.entries(arms)) {
    checkName('an arm', arm)
    check(
      typeof ref === 'string' || (Number.isInteger(ref) && ref >= 1),
      where,
      () => `${arm}.ref must be an alias or a version number, got ${describe(ref)}.`,
    )
    check(
      Number.isFinite(weight) && weight >= 0,
      where,
      () => `${arm}.weight must be a number of at least 0, got ${describe(weight)}.`,
    )
  }
  check(
    Object.values(arms).some(({ weight, shadow }) => !shadow && weight > 0),
    where,
    () => 'at least one arm that is no shadow needs a weight above 0.',
  )
}
