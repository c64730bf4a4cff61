// A command that is written as one text, in words: as Compose splits it (go-shellwords), which ends
// at the first `;`, `&`, `|`, `<` or `>` outside of quotes.

/** A text with a quote that nobody closes is one word. */
export function toWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === '\\' && quote !== "'") {
      const next = text[++i];
      if (next !== undefined) word = `${word ?? ''}${next}`;
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word = `${word ?? ''}${char}`;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (';&|<>'.includes(char)) {
      break;
    } else {
      word = `${word ?? ''}${char}`;
    }
  }
  if (quote !== undefined) return [text];
  return word === undefined ? words : [...words, word];
}
