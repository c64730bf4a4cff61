export { type AddressPool, createAddressPool } from './addresses.js';
export { Child, type ChildExit, type ChildOptions, startChild } from './child.js';
export {
  type EchoAnswer,
  type EchoApp,
  type EchoHttpOptions,
  type EchoOptions,
  startEchoHttp,
} from './echo-app.js';
export { startEchoTcp } from './echo-tcp.js';
export {
  type CertificateStatus,
  type ConfigDump,
  EnvoyAdmin,
  type ListenerStatus,
} from './envoy-admin.js';
export {
  type EnvoyLogLevel,
  type EnvoyOptions,
  type EnvoyProcess,
  startEnvoy,
} from './envoy-process.js';
export {
  DEFAULT_ENVOY_VERSION,
  envoyVersion,
  type FindEnvoyOptions,
  findEnvoy,
} from './find-envoy.js';
export { type HttpAnswer, type HttpCall, httpCall } from './http-client.js';
export { type Load, type LoadOptions, type LoadResult, type Shot, startLoad } from './load.js';
export { type ConnectionUse, httpShot } from './load-shots.js';
export { LogRing } from './log-ring.js';
export { boundToUs } from './reaper.js';
export { type DemoOptions, runDemo } from './run-demo.js';
export { openSocket, type TcpAnswer, type TcpExchange, tcpExchange } from './tcp-client.js';
export type { TlsFacts, TlsOptions } from './tls-client.js';
export {
  type DeadlineOptions,
  delay,
  type EventuallyOptions,
  eventually,
  withDeadline,
} from './wait.js';
