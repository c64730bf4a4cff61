/** Something that a test waits for, and a hook lets happen. */
export function signal(): { readonly happened: Promise<void>; happen(): void } {
  let happen: () => void = () => undefined;
  const happened = new Promise<void>((resolve) => {
    happen = resolve;
  });
  return { happened, happen: () => happen() };
}
