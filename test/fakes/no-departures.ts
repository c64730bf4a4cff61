/** Of a fleet of which nobody is about to be stopped. */
export const NO_DEPARTURES = { has: () => false, look: () => undefined, end: () => undefined };
