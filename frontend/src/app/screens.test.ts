import { describe, expect, it } from "vitest";

import { SCREENS } from "./screens";

/** What the web server answers itself; a screen below one of these is lost on reload. */
const SERVERS_OWN = /^\/(v1|admin|static|assets)(\/|$)/;

describe("every screen", () => {
  it.each(SCREENS.map((screen) => [screen.path]))("%s can be reloaded", (path) => {
    expect(path).not.toMatch(SERVERS_OWN);
  });

  it("has a key and a name of its own", () => {
    for (const pick of ["key", "name", "path", "label"] as const) {
      expect(new Set(SCREENS.map((screen) => screen[pick])).size).toBe(SCREENS.length);
    }
  });
});
