/** The `count` of these places whose values are largest in size, earlier ones first where they tie; in ascending order. */
export function largest(values: ArrayLike<number>, places: readonly number[], count: number): number[] {
  return [...places]
    .sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!) || a - b)
    .slice(0, count)
    .sort((a, b) => a - b)
}
