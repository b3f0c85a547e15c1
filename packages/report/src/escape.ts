const ENTITIES: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Makes a text safe inside HTML elements and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}

/**
 * Makes a text safe where Plotly shows it: Plotly reads `<b>`, `<a>` and entities in names and hovers, so the user's own
 * must not be read. `%{` would start a template field.
 */
export function escapePlotly(text: string): string {
  return text
    .replace(/[&<>]/g, (character) => ENTITIES[character] as string)
    .replace(/\$/g, '&#36;')
    .replace(/%\{/g, '%&#123;')
}

/** JSON that cannot leave a `<script>` element and is legal in every HTML and JavaScript parser. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
