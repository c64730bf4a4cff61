// The forms in which a port stands while it is changed (decision 041). Each way in, by TLS or in
// plain text, is served by one form alone: its whole verdict, its application. The rules of a way
// that a form doesn't give are inert, and stay so. Callers' sidecars have a form of their own.
import type { Port } from '../policy/index.js';

/** What serves those who come that way; undefined: nobody may. */
export interface Served {
  /** At the mesh port or the declared one. */
  readonly tls: Port | undefined;
  readonly plain: Port | undefined;
}

/** A way in. */
export type Way = keyof Served;

export function toServed(port: Port): Served {
  if (port.between !== undefined) return { tls: port.between.tls, plain: port.between.plain };
  const only = toOnlyWay(port);
  return { tls: only === 'plain' ? undefined : port, plain: only === 'tls' ? undefined : port };
}

/** The one way that a form gives; undefined: both. */
export function toOnlyWay({ mode }: Port): Way | undefined {
  switch (mode) {
    case 'strict':
      return 'tls';
    case 'disable':
      return 'plain';
    case 'permissive':
      return undefined;
  }
}

/** The one by which callers' sidecars come. */
export function toCallersForm(port: Port): Port {
  return port.between?.callers ?? port;
}

export interface Forms extends Served {
  readonly callers: Port;
}

/** How a port stands. */
export function toForms(port: Port): Forms {
  return { ...toServed(port), callers: toCallersForm(port) };
}

/** By which a port is served: one, or one for those who come by TLS and one for the others. */
export function toServingForms(port: Port): readonly Port[] {
  const { tls, plain } = toServed(port);
  return [...new Set([tls, plain])].filter((form) => form !== undefined);
}

/** The form of a port's chain at the mesh port, which is there though nobody may come by it. */
export function toMeshForm(port: Port): Port {
  const { tls, plain } = toServed(port);
  return tls ?? plain ?? port;
}
