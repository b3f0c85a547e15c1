import { check, describe, RegimenError } from './errors.ts'

/** Functions by registered id: how a configuration, which is data, names a function. */
export interface Registry<F> {
  /** The function of that id; an unknown id is an error that lists the known ones. */
  get(id: string): F
  /** The id of a registered function, to be written into a configuration. */
  idOf(entry: F): string
  has(id: string): boolean
  /** Every known id, sorted. */
  ids(): string[]
  /** Adds a function of the app's own; an id that is taken by another is an error. */
  register(id: string, entry: F): void
}

/**
 * Defines a registry of functions, the only way in which functions appear in a snapshot: the configuration holds the id, and
 * whoever restores it must know the function. Start with the built-in ones; an app registers its own before it restores.
 *
 * ```ts
 * import { defineRegistry } from '@regimen/core'
 *
 * const kernels = defineRegistry<(distance: number) => number>('example/kernels', {
 *   gaussian: (d) => Math.exp(-d * d),
 *   laplace: (d) => Math.exp(-Math.abs(d)),
 * })
 * const flat = () => 1
 * kernels.register('flat', flat)
 * kernels.idOf(flat) // => 'flat'
 * kernels.get('gaussian')(0) // => 1
 * kernels.ids() // => ['flat', 'gaussian', 'laplace']
 * ```
 */
export function defineRegistry<F>(where: string, builtIn: { readonly [id: string]: F } = {}): Registry<F> {
  const entries = new Map<string, F>(Object.entries(builtIn))
  const ids = (): string[] => [...entries.keys()].sort()
  return {
    ids,
    has: (id) => entries.has(id),
    get(id) {
      const entry = entries.get(id)
      if (entry !== undefined) return entry
      throw new RegimenError(`nothing is registered as ${describe(id)}.`, {
        code: 'UNKNOWN_ID',
        where,
        hint: `Use one of ${ids().join(', ')}, or register it first.`,
      })
    },
    idOf(entry) {
      for (const [id, known] of entries) if (known === entry) return id
      throw new RegimenError(`${describe(entry)} is not registered, so no snapshot could name it.`, {
        code: 'UNKNOWN_ID',
        where,
        hint: `Register it under an id of its own, or use one of ${ids().join(', ')}.`,
      })
    },
    register(id, entry) {
      check(typeof id === 'string' && id !== '', where, () => `id must be a string, got ${describe(id)}.`)
      const known = entries.get(id)
      check(known === undefined || known === entry, where, () => `${describe(id)} is taken.`, 'Choose another id.')
      entries.set(id, entry)
    },
  }
}
