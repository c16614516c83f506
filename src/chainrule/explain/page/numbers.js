"use strict";
// Numbers as text, as Python writes them. Nothing here knows of the page.

/** The decimal digits of a number, rounded to the nearest, ties to even; and its power of ten. */
function rounded(size, count) {
  const [mantissa, exponent] = size.toExponential(60).split("e");
  const digits = mantissa.replace(".", "");
  const rest = digits.slice(count);
  let kept = BigInt(digits.slice(0, count));
  const half = "5".padEnd(rest.length, "0");
  if (rest > half || (rest === half && kept % 2n === 1n)) kept += 1n;
  const text = String(kept);
  return [text.slice(0, count), Number(exponent) + text.length - count];
}

const sized = (power) => (power < 0 ? "-" : "+") + String(Math.abs(power)).padStart(2, "0");

/** Digits with a point at a power of ten: placed("123", -1) is 0.123. */
function placed(digits, power) {
  if (power < 0) return "0." + "0".repeat(-power - 1) + digits;
  if (digits.length <= power + 1) return digits.padEnd(power + 1, "0");
  return digits.slice(0, power + 1) + "." + digits.slice(power + 1);
}

/** A number as it stands in a matrix: four digits, as Python's format ".4g" has them. */
function short(value) {
  if (typeof value === "boolean") return String(value);
  const number = Number(value);
  if (Number.isNaN(number)) return "nan";
  const sign = number < 0 || Object.is(number, -0) ? "−" : "";
  if (!Number.isFinite(number)) return sign + "inf";
  if (number === 0) return sign + "0";
  const [digits, power] = rounded(Math.abs(number), 4);
  const kept = digits.replace(/0+$/, "");
  if (power >= -4 && power < 4) return sign + placed(kept, power);
  const mantissa = kept.length > 1 ? kept[0] + "." + kept.slice(1) : kept;
  return sign + mantissa + "e" + sized(power).replace("-", "−");
}

/** A number with all its digits, as Python's repr has them. */
function full(value) {
  const number = Number(value);
  if (Number.isNaN(number)) return "nan";
  const sign = number < 0 || Object.is(number, -0) ? "−" : "";
  if (!Number.isFinite(number)) return sign + "inf";
  if (number === 0) return sign + "0.0";
  const [mantissa, exponent] = Math.abs(number).toExponential().split("e");
  const [digits, power] = [mantissa.replace(".", ""), Number(exponent)];
  if (power < -4 || power >= 16) return sign + mantissa + "e" + sized(power);
  const text = placed(digits, power);
  return sign + (text.includes(".") ? text : text + ".0");
}

/** A number as it stands in a formula: its sign, its digits, and a power of ten or none. */
function parts(value, whole) {
  if (typeof value === "boolean") return { symbol: String(value), minus: false };
  const number = Number(value);
  if (Number.isNaN(number)) return { symbol: "NaN", minus: false };
  const minus = number < 0;
  if (!Number.isFinite(number)) return { symbol: "∞", minus };
  if (number === 0) return { digits: "0", minus: false };
  if (whole) return { digits: String(Math.abs(number)), minus };
  const [digits, rank] = rounded(Math.abs(number), 4);
  // The number nearest to these digits, and its own shortest ones: the smallest have fewer.
  const near = Number(`${digits}e${rank - 3}`);
  if (near === Infinity) return { symbol: "∞", minus };
  const [mantissa, exponent] = near.toExponential().split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 16) return { digits: mantissa, power, minus };
  return { digits: placed(mantissa.replace(".", ""), power), minus };
}

function formulaText({ symbol, digits, power, minus }) {
  const size = symbol ?? digits + (power === undefined ? "" : "e" + String(power).replace("-", "−"));
  return (minus ? "−" : "") + size;
}

function formulaMath({ symbol, digits, power, minus }) {
  let size = symbol ? `<mi mathvariant="normal">${symbol}</mi>` : `<mn>${digits}</mn>`;
  if (power !== undefined) {
    const sign = power < 0 ? "<mo>−</mo>" : "";
    const ten = `<msup><mn>10</mn><mrow>${sign}<mn>${Math.abs(power)}</mn></mrow></msup>`;
    size = digits === "1" ? ten : `<mrow>${size}<mo>×</mo>${ten}</mrow>`;
  }
  return minus ? `<mrow><mo form="prefix">−</mo>${size}</mrow>` : size;
}
