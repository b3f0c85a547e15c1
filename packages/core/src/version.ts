/** Version of the library, written into every snapshot. All packages share it; a test compares it with package.json. */
export const libraryVersion = '0.1.0'
