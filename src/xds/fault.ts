// Which resources a client's error text names. Envoy rejects clusters and listeners one by one and
// names them
// (source/common/upstream/cds_api_impl.cc, source/common/listener_manager/lds_api.cc):
//   Error adding/updating cluster(s) a: <reason>, b: <reason>
//   Error adding/updating listener(s) a: <reason>\nb: <reason>\n
// Other texts name things of their own (a route's missing cluster, a field): nothing is concluded
// from them.

const HEADING = /^Error adding\/updating (?:cluster|listener)\(s\) /;

/** Those of `candidates` that the text blames; none where it blames nothing by name. */
export function namesAtFault(
  message: string,
  candidates: ReadonlySet<string>,
): ReadonlySet<string> {
  const heading = HEADING.exec(message);
  if (heading === null) return new Set();
  const text = message.slice(heading[0].length);
  return new Set([...candidates].filter((name) => isNamed(text, name)));
}

/** `name: ` where an entry begins. A name may hold separators itself, so the text isn't split. */
function isNamed(text: string, name: string): boolean {
  const label = `${name}: `;
  // A NACK is on one line by then: its line ends are written as escapes (request.ts).
  const separators = [', ', '\n', '\\n'];
  return text.startsWith(label) || separators.some((one) => text.includes(`${one}${label}`));
}
