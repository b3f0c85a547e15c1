declare module 'virtual:suite' {
  /** Loads a test file, by its path from the repository's root. */
  export const files: { readonly [file: string]: () => Promise<unknown> }
  /** Sets the backend of tfjs for a device, and says which it is. */
  export function prepare(device: string): Promise<string>
}
