import { describe, expect, it } from "vitest";

import { Keyboard, type KeyPress } from "./keyboard";
import { tabTitle } from "./tab-title";

const press = (key: string, over: Partial<KeyPress> = {}): KeyPress => ({
  key,
  shift: false,
  modified: false,
  repeat: false,
  busy: false,
  ...over,
});

describe("keys", () => {
  it("pause only with Shift", () => {
    const keys = new Keyboard();
    expect(keys.press(press("P", { shift: true }), 0)).toEqual({ act: "pause" });
    expect(keys.press(press("p"), 10)).toBeNull();
  });

  it("cannot pause by a half-typed chord", () => {
    const keys = new Keyboard();
    expect(keys.press(press("g"), 0)).toBeNull();
    expect(keys.press(press("p"), 100)).toEqual({ act: "go", key: "P" });
    expect(keys.press(press("g"), 200)).toBeNull();
    expect(keys.press(press("p"), 2000)).toBeNull();
  });

  it("are off while typing, in a dialog, with Ctrl and on repeat", () => {
    const keys = new Keyboard();
    for (const over of [{ busy: true }, { modified: true }, { repeat: true }]) {
      expect(keys.press(press("P", { shift: true, ...over }), 0)).toBeNull();
    }
  });

  it("never resume, go live or reset", () => {
    const acts = new Set<string>();
    for (let code = 32; code < 127; code += 1) {
      for (const shift of [false, true]) {
        const act = new Keyboard().press(press(String.fromCharCode(code), { shift }), 0);
        if (act !== null) acts.add(act.act);
      }
    }
    expect([...acts].sort()).toEqual(["banners", "help", "kill", "pause"]);
  });
});

it("puts the state first in the tab's title", () => {
  expect(tabTitle("live", "Overview")).toBe("LIVE · Overview");
  expect(tabTitle("killed", "Overview")).toBe("(!) KILLED · Overview");
});
