export { checkout } from './checkout.js';
export { bind, connectHosts, type Host, lackOfHosts, nameHost, startHost } from './host.js';
export { standInForNpm, standInForSsh, startMachine } from './machine.js';
export { difference, ROOT, readBlocks, readSteps, type Step } from './markdown.js';
export { createReader, type Reader } from './reader.js';
