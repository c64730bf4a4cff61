// Who a client claims to be, for services beside discovery.
export { toNode } from '../node.js';
