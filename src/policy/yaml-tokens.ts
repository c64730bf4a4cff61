// YAML as tokens, with its nesting bounded before anything recursive sees it: the composer of the
// `yaml` package ends the whole process on 100,000 open brackets.
import { type CST, Lexer, type LineCounter, Parser } from 'yaml';

/** The tokens of `text`, or the offset at which more than `maxDepth` constructs are open. */
export function tokenizeYaml(
  text: string,
  lines: LineCounter,
  maxDepth: number,
): CST.Token[] | number {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    if (parser.stack.length > maxDepth) return parser.offset;
    tokens.push(...parser.next(lexeme));
  }
  tokens.push(...parser.end());
  return tokens;
}
