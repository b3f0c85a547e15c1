/** A half-open stretch [start, end) of a series that carries one label. */
export interface Segment<Label = number> {
  readonly start: number
  readonly end: number
  readonly label: Label
}
