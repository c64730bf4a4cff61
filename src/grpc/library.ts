// The library `countersign/xds`: an xDS management server for Node, on any grpc-js Server. This is
// all that a program that uses it imports. It knows nothing of mTLS, of mesh.yaml or of the command
// line.
export {
  type Cancel,
  type Clock,
  type ErrorCode,
  MeshError,
  type SourceRef,
  systemClock,
} from '../base/index.js';
export * from '../xds/index.js';
export * from './index.js';
