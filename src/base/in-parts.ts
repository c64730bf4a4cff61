/** Results in order; at most `atOnce` are under way at a time. The first failure is thrown. */
export async function inParts<T, R>(
  items: readonly T[],
  { atOnce, work }: { readonly atOnce: number; readonly work: (item: T) => Promise<R> },
): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += atOnce) {
    results.push(...(await Promise.all(items.slice(start, start + atOnce).map(work))));
  }
  return results;
}
