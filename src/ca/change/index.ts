export { noteBundle, noteLostBundles, readBundleNote, staleBundleAtMs } from './bundle-note.js';
export {
  adoptCaFiles,
  askFinish,
  type CaProgress,
  FINISH_CA,
  offerCaChain,
  openOffer,
  type RootPoint,
  STEER_CA,
  TAKE_CA,
  WATCH_ROOT,
} from './ca-orders.js';
