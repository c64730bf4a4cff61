// DB_HOST and DB_PORT: two variables that say one address.

const HOST_PART = /(hostname|host|server|address|addr|url|uri|endpoint|broker|service)s?/gi;

/** The value of the variable that says the port for the host of `variable`. */
export function pairedPort(
  variable: string,
  environment: ReadonlyMap<string, string>,
): number | undefined {
  const parts = [...variable.matchAll(HOST_PART)];
  const last = parts.at(-1);
  if (last === undefined) return undefined;
  const before = variable.slice(0, last.index);
  const after = variable.slice(last.index + last[0].length);
  const wanted = [
    `${before}port${after}`,
    `${before}port_number${after}`,
    `${before}${last[0]}_port`,
  ];
  const byName = new Map([...environment].map(([name, text]) => [name.toLowerCase(), text]));
  for (const name of wanted) {
    const port = Number(byName.get(name.toLowerCase())?.trim() ?? '');
    if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  }
  return undefined;
}
