// The one writer of Prometheus text (exposition format 0.0.4).
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
import { escapeControls } from '../../base/index.js';

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples of one name. */
export interface Family {
  /** Without the prefix that all of ours have. */
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  /** One sentence. */
  readonly help: string;
  /** In the order in which they are written. */
  readonly samples: readonly Sample[];
}

const PREFIX = 'countersign_';

/** The text of the families, in their order; one without samples is a heading alone. */
export function toExposition(families: readonly Family[]): string {
  return families.map(toFamilyText).join('');
}

function toFamilyText({ name, type, help, samples }: Family): string {
  const full = `${PREFIX}${name}`;
  const heading = `# HELP ${full} ${escapeText(help)}\n# TYPE ${full} ${type}\n`;
  const lines = samples.map(({ labels = {}, value }) => {
    return `${full}${toLabelText(labels)} ${toValueText(value)}\n`;
  });
  return heading + lines.join('');
}

/** Sorted by name, so that equal labels are equal text. */
function toLabelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length === 0) return '';
  const texts = pairs.map(
    ([name, value]) => `${name}="${escapeText(value).replaceAll('"', '\\"')}"`,
  );
  return `{${texts.join(',')}}`;
}

function toValueText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

function escapeText(text: string): string {
  return escapeControls(text).replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
