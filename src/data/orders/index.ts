export {
  ANSWER_WITHIN_MS,
  type AnswerWait,
  awaitAnswer,
  giveOrder,
  toRefusal,
  unanswered,
} from './give-order.js';
export type { Answer, Order, OrderKind, PayloadOf, Receipt } from './order.js';
export { type Answered, OrderDesk } from './order-desk.js';
export { createOrderStore, ORDERS_FOLDER, type OrderStore } from './order-store.js';
