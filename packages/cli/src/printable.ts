/**
 * Spells control characters, so that nothing from outside can move the cursor, ring the bell or colour what a
 * person reads. Line breaks are spelled too.
 */
export function printable(text: string): string {
  return text.replace(
    // Also those that turn the direction of writing or cannot be seen.
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  )
}
