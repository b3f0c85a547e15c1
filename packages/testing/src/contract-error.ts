/** What a contract check throws: which promise was broken, and how it showed. */
export class ContractError extends Error {
  constructor(promise: string, evidence: string) {
    super(`Contract broken: ${promise}. ${evidence}`)
    this.name = 'ContractError'
  }
}

/** Throws a {@link ContractError} unless the promise was kept. */
export function promise(kept: boolean, text: string, evidence: () => string): asserts kept {
  if (!kept) throw new ContractError(text, evidence())
}
