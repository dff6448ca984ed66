import { describe, expect, it } from "vitest";

import { compare, parseDecimal, plain, ratio, rounded, subtract } from "./decimal";

function decimal(text: string) {
  const value = parseDecimal(text);
  if (value === null) throw new Error(`not a decimal: ${text}`);
  return value;
}

describe("decimal text", () => {
  it.each(["", "NaN", "1e", "1e5.5", "1e9999", "1.", ".5", "--1", "Infinity", "1,000"])("refuses %j", (text) => {
    expect(parseDecimal(text)).toBeNull();
  });

  it("keeps digits a float would lose", () => {
    const value = decimal("123456789012345678.123456789012345678");
    expect(plain(value)).toBe("123456789012345678.123456789012345678");
    expect(plain(subtract(value, decimal("0.000000000000000001")))).toBe(
      "123456789012345678.123456789012345677",
    );
  });

  it("reads exponents exactly", () => {
    expect(plain(decimal("1E-8"))).toBe("0.00000001");
    expect(plain(decimal("-1.25e+3"))).toBe("-1250");
    expect(plain(decimal("0E-10"))).toBe("0.0000000000");
  });

  it("rounds half away from zero", () => {
    expect(plain(rounded(decimal("1.005"), 2))).toBe("1.01");
    expect(plain(rounded(decimal("-1.005"), 2))).toBe("-1.01");
    expect(plain(rounded(decimal("0.994999"), 2))).toBe("0.99");
    expect(plain(rounded(decimal("7"), 3))).toBe("7.000");
  });

  it("compares across scales", () => {
    expect(compare(decimal("1.10"), decimal("1.1"))).toBe(0);
    expect(compare(decimal("-2"), decimal("1.999"))).toBe(-1);
    expect(compare(decimal("0.3"), decimal("0.29999999999999999999"))).toBe(1);
  });

  it("divides into a plain number, never by zero", () => {
    expect(ratio(decimal("412630.18"), decimal("1000000"))).toBeCloseTo(0.41263018, 9);
    expect(ratio(decimal("1"), decimal("0.00"))).toBeNull();
  });
});
