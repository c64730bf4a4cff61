export { toAddressKey } from './address-key.js';
export { Budgets, type BudgetView } from './budgets.js';
export { Connections, type ConnectionsView } from './connections.js';
export { DEFAULT_OF_ADDRESS, readConnectionLimits } from './file-limit.js';
