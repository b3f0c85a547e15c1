export function nodeIsNewEnough(version: string): boolean
export function installStamp(root: string, node?: string): string
export function summarize(report: object): { passed: number; failed: number; skipped: number }
export function startTarget(root: string): string | undefined
