// How one port gets from the forms that it may have on some sidecar to its new one (decision 041).
// Its callers' sidecars come by one way, TLS or plain text. Where that changes, the port first
// serves each way that any of them may take, then they move, then it serves what the new form
// gives. On each way one form alone decides, with its whole verdict: what every mesh lets in on it
// that one does too, and what none lets in it doesn't either. So no request is judged by one mesh's
// rules on another's way.
import { haveSameMeaning, type Port, type TlsSettings } from '../../policy/index.js';
import { toForms } from '../../translate/index.js';

type Served = Pick<ReturnType<typeof toForms>, 'tls' | 'plain'>;

/** The forms of a port that has more than one step before it. */
export interface PortChange {
  /** It serves whatever way callers may come by, and they stay. */
  readonly widened: Port;
  /** Its callers come by the new way. Undefined: that is the new form. */
  readonly moved: Port | undefined;
  /** It doesn't serve that yet. */
  readonly widens: boolean;
  /** Forms by which callers may still come. */
  readonly callersForms: readonly Port[];
}

/** Forms that a port may have on some sidecar. */
export interface PortBefore {
  /** On those that serve it. */
  readonly serving: readonly Port[];
  /** On those that call it, the newest last. */
  readonly calling: readonly Port[];
  /** The one that is published. */
  readonly current: Port;
}

/** @returns undefined where one step does it all: callers come by the same way throughout. */
export function toPortChange(
  { serving, calling, current }: PortBefore,
  port: Port,
): PortChange | undefined {
  const callersForms = calling.map((old) => toForms(old).callers);
  const all = [...callersForms, port];
  if (all.every((form) => areAlike(form, port))) return undefined;
  const served = toWidened(all, port);
  const stand = (callers: Port): Port => ({ ...port, between: { callers, ...toBetween(served) } });
  return {
    widened: stand(toForms(current).callers),
    moved: serveAlike(served, toForms(port)) ? undefined : stand(port),
    widens: !serving.every((old) => serveAlike(toForms(old), served)),
    callersForms,
  };
}

function toBetween({ tls, plain }: Served): Partial<Record<keyof Served, Port>> {
  return { ...(tls && { tls }), ...(plain && { plain }) };
}

/** Whether a caller by either gets on with a server by the other. */
function areAlike(a: Port, b: Port): boolean {
  if (isPlain(a) !== isPlain(b) || isTcp(a) !== isTcp(b)) return false;
  return isPlain(a) || canHandshake(a.tls, b.tls);
}

/** How callers' sidecars come. */
function isPlain({ mode }: Port): boolean {
  return mode === 'disable';
}

function isTcp({ protocol }: Port): boolean {
  return protocol === 'tcp';
}

/** What serves every way that one of these forms takes, the newest of which is `port`. */
function toWidened(forms: readonly Port[], port: Port): Served {
  const tls = toServing(forms.filter((form) => !isPlain(form)));
  const plain = toServing(forms.filter(isPlain));
  if (tls === undefined || plain === undefined) return toForms(tls ?? plain ?? port);
  if (isTcp(tls) !== isTcp(plain)) return { tls: toHttp(tls, plain), plain: toHttp(plain, tls) };
  // One that decides on both alike is one form.
  const isOne = tls.mode === 'permissive' && servesAlikeInPlain(tls, plain);
  return { tls, plain: isOne ? tls : plain };
}

/**
 * A connection manager takes the bytes of callers that know of no HTTP as well; the other way round
 * they would be another protocol.
 */
function toHttp(form: Port, other: Port): Port {
  if (!isTcp(form)) return form;
  const protocol = haveSameMeaning(form.target, other.target) ? other.protocol : 'http';
  return { ...form, protocol };
}

/** Of forms by which callers come on one way: the newest, which takes the TLS of all. */
function toServing(forms: readonly Port[]): Port | undefined {
  const newest = forms.findLast((form) => !isTcp(form)) ?? forms.at(-1);
  if (newest === undefined || isPlain(newest)) return newest;
  const apart = forms.filter((form) => !canHandshake(form.tls, newest.tls));
  if (apart.length === 0) return newest;
  return { ...newest, tls: apart.reduce((tls, form) => toEither(form.tls, tls), newest.tls) };
}

function serveAlike(a: Served, b: Served): boolean {
  return (
    (a.tls === b.tls || (a.tls !== undefined && b.tls !== undefined && isAlike(a.tls, b.tls))) &&
    (a.plain === b.plain ||
      (a.plain !== undefined && b.plain !== undefined && servesAlikeInPlain(a.plain, b.plain)))
  );
}

/** Plain text knows neither modes nor TLS. */
function servesAlikeInPlain(a: Port, b: Port): boolean {
  return isAlike({ ...a, mode: b.mode, tls: b.tls }, b);
}

function isAlike({ between: _, ...a }: Port, { between: __, ...b }: Port): boolean {
  return haveSameMeaning(a, b);
}

/** Whether a caller by one of these and a server by the other agree, either way round. */
function canHandshake(a: TlsSettings, b: TlsSettings): boolean {
  const common = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === 0 || y.length === 0 || x.some((one) => y.includes(one));
  const versions = a.minVersion <= b.maxVersion && b.minVersion <= a.maxVersion;
  const only12 = a.maxVersion === 'TLSv1_2' || b.maxVersion === 'TLSv1_2';
  const ciphers = !only12 || common(a.cipherSuites, b.cipherSuites);
  return versions && ciphers && common(a.curves, b.curves);
}

/** What agrees with both. */
function toEither(a: TlsSettings, b: TlsSettings): TlsSettings {
  const either = <T>(x: readonly T[], y: readonly T[]): readonly T[] =>
    x.length === 0 || y.length === 0 ? [] : [...new Set([...y, ...x])];
  return {
    minVersion: [a.minVersion, b.minVersion].includes('TLSv1_2') ? 'TLSv1_2' : 'TLSv1_3',
    maxVersion: [a.maxVersion, b.maxVersion].includes('TLSv1_3') ? 'TLSv1_3' : 'TLSv1_2',
    cipherSuites: either(a.cipherSuites, b.cipherSuites),
    curves: either(a.curves, b.curves),
  };
}
