// Values as people read them.

const STATES = {
  PENDING: ['○', 'Pending'],
  RUNNING: ['▶', 'Running'],
  CANCELLING: ['◐', 'Cancelling'],
  SUCCEEDED: ['✓', 'Succeeded'],
  FAILED: ['✕', 'Failed'],
  CANCELLED: ['⊘', 'Cancelled'],
  UNKNOWN: ['?', 'Unknown'],
};
const TARGETS = {tuned: 'Tuned model', base: 'Base model'};
const BASELINES = {copy: 'Input copied', majority: 'Most frequent answer'};
const NAMES = {token_f1: 'Token F1', macro_f1: 'Macro F1', placeholder_f1: 'Placeholder F1', rouge_l: 'ROUGE-L',
  chrf: 'chrF', json_validity: 'JSON validity'};
// Scores where less is better; all others are better where higher.
const LOWER_IS_BETTER = new Set(['leak_rate']);

function plural(count, noun) {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

function number(value, digits = 4) {
  if (value === null || value === undefined) return '–';
  if (Number.isInteger(value)) return value.toLocaleString('en');
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return String(Number(value.toPrecision(digits)));
  return value.toExponential(2);
}

function score(metric, value) {
  if (value === null || value === undefined) return '–';
  return isShare(metric, value) ? `${(100 * value).toFixed(1)}%` : number(value);
}

function isShare(metric, value) {
  return value >= 0 && value <= 1 && !metric.startsWith('chrf');
}

function interval(metric, pair) {
  return pair ? `${score(metric, pair[0])} to ${score(metric, pair[1])}` : '';
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const whole = Math.max(Math.round(seconds), 0);
  const two = n => String(n).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  if (whole >= 600 && whole < 3600) return `${Math.round(whole / 60)} min`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${two(Math.floor((whole % 86400) / 3600))} h`;
}

function moment(seconds, withTime = true) {
  if (seconds === null || seconds === undefined) return '–';
  const text = new Date(seconds * 1000).toISOString();
  return withTime ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC` : text.slice(0, 10);
}

function words(name) {
  if (NAMES[name]) return NAMES[name];
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function targetName(target) {
  if (TARGETS[target]) return TARGETS[target];
  return target.startsWith('checkpoint:') ? `Checkpoint ${target.slice(11)}` : target;
}

function dollars(value) {
  return value === null || value === undefined ? '–' : `$${value.toFixed(2)}`;
}
