// An image's name without registry, tag and digest: what is known of images is known by that.

export interface ImageName {
  /** `bitnami/kafka`, `postgres`; in lower case. */
  readonly path: string;
  /** Its last part: `kafka`. */
  readonly base: string;
  /** `15-alpine`; empty where there is none. */
  readonly tag: string;
}

export function toImageName(image: string): ImageName {
  const [withoutDigest = ''] = image.toLowerCase().split('@', 1);
  const slash = withoutDigest.lastIndexOf('/');
  const colon = withoutDigest.indexOf(':', slash + 1);
  const whole = colon < 0 ? withoutDigest : withoutDigest.slice(0, colon);
  const tag = colon < 0 ? '' : withoutDigest.slice(colon + 1);
  const parts = whole.split('/');
  const [first = ''] = parts;
  const hasRegistry = parts.length > 1 && (/[.:]/.test(first) || first === 'localhost');
  const own = hasRegistry ? parts.slice(1) : parts;
  return { path: own.join('/').replace(/^library\//, ''), base: own.at(-1) ?? '', tag };
}
