// The protocol of a port: http only where something says so.
import { expect, test } from 'vitest';
import { planServices, portsOf } from './planned.js';

const ROWS: readonly [what: string, services: Record<string, string>, ports: object][] = [
  ['an image', { web: 'image: nginx, ports: ["80:80"]' }, { 80: 'http' }],
  [
    'a server at a port of its own',
    { web: 'image: nginx, ports: ["8080:8080"]' },
    { 8080: 'http' },
  ],
  [
    'a database at a port of the web',
    { web: 'image: mysql, ports: ["8080:8080"]' },
    { 8080: 'tcp' },
  ],
  ['a convention', { web: 'image: x, ports: ["3000:3000"]' }, { 3000: 'http' }],
  [
    'no convention',
    { web: 'image: x, ports: ["7070:7070", "9000:9000"]' },
    { 7070: 'tcp', 9000: 'tcp' },
  ],
  [
    'gRPC by convention',
    { web: 'image: x, expose: ["50051", "4317"]' },
    { 4317: 'grpc', 50051: 'grpc' },
  ],
  [
    'TLS of its own',
    { web: 'image: x, ports: ["443:443", "8443:8443"]' },
    { 443: 'tcp', 8443: 'tcp' },
  ],
  [
    'http of a caller',
    { a: 'image: y, environment: { U: "http://web:7070" }', web: 'image: x' },
    { 7070: 'http' },
  ],
  [
    'ws of a caller',
    { a: 'image: y, environment: { U: "ws://web:7070/x" }', web: 'image: x' },
    { 7070: 'http' },
  ],
  [
    'https of a caller',
    { a: 'image: y, environment: { U: "https://web:8080" }', web: 'image: x' },
    { 8080: 'tcp' },
  ],
  [
    'grpc of a caller',
    { a: 'image: y, environment: { U: "grpc://web:8080" }', web: 'image: x' },
    { 8080: 'grpc' },
  ],
  [
    'redis of a caller',
    { a: 'image: y, environment: { U: "redis://web:8080" }', web: 'image: x' },
    { 8080: 'tcp' },
  ],
  [
    'callers that disagree',
    {
      a: 'image: y, environment: { U: "http://web:8080" }',
      b: 'image: y, environment: { U: "redis://web:8080" }',
      web: 'image: x',
    },
    { 8080: 'tcp' },
  ],
  [
    'OTLP over gRPC, whose URL says http',
    {
      a: 'image: y, environment: { U: "http://web:4317" }',
      web: 'image: otel/opentelemetry-collector',
    },
    { 4317: 'grpc' },
  ],
  [
    'perhaps gRPC: a variable of a caller',
    { a: 'image: y, environment: { CART_GRPC_ADDR: "web:8080" }', web: 'image: x' },
    { 8080: 'tcp' },
  ],
  [
    'perhaps gRPC: a variable of its own',
    { web: 'image: x, ports: ["8080:8080"], environment: { GRPC_TIMEOUT: 1 }' },
    { 8080: 'tcp' },
  ],
  [
    'curl in a health check',
    { web: 'image: x, expose: ["7070"], healthcheck: { test: "curl -f localhost:7070/up" }' },
    { 7070: 'http' },
  ],
  [
    'https in a health check',
    { web: 'image: x, healthcheck: { test: "curl -k https://localhost:8080" }' },
    { 8080: 'tcp' },
  ],
  [
    'grpc_health_probe',
    { web: 'image: x, healthcheck: { test: "grpc_health_probe -addr=localhost:7070" }' },
    { 7070: 'grpc' },
  ],
  [
    'netcat says nothing',
    { web: 'image: x, healthcheck: { test: "nc -z localhost 7070" }' },
    { 7070: 'tcp' },
  ],
  [
    'Traefik calls it by TLS',
    {
      web:
        'image: x, labels: [traefik.http.services.w.loadbalancer.server.port=8080, ' +
        'traefik.http.services.w.loadbalancer.server.scheme=https]',
    },
    { 8080: 'tcp' },
  ],
];

test.each(ROWS)('%s', async (_, services, ports) => {
  expect(portsOf(await planServices(services), 'web')).toEqual(ports);
});
