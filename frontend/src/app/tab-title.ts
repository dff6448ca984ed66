/** The browser tab says the engine's state first, in words and in the colour of its icon. */
import { useEffect } from "react";
import { useLocation } from "react-router";

import critIcon from "@/assets/favicon-crit.svg?url";
import greyIcon from "@/assets/favicon-grey.svg?url";
import infoIcon from "@/assets/favicon-info.svg?url";
import limeIcon from "@/assets/favicon-lime.svg?url";
import warnIcon from "@/assets/favicon-warn.svg?url";
import { useDesk, useNow } from "@/lib/live";
import { ENGINE_WORD, type EngineState, engineState } from "@/lib/states";

import { SCREENS } from "./screens";

const ICON: Record<EngineState, string> = {
  live: limeIcon,
  observe: infoIcon,
  paper: infoIcon,
  paused: warnIcon,
  auto_paused: warnIcon,
  killed: critIcon,
  no_signal: greyIcon,
};

const ALARMING: readonly EngineState[] = ["killed", "auto_paused", "no_signal"];

/** LIVE · Overview, (!) KILLED · Overview. */
export function tabTitle(state: EngineState, screen: string): string {
  return `${ALARMING.includes(state) ? "(!) " : ""}${ENGINE_WORD[state]} · ${screen}`;
}

function showIcon(href: string): void {
  let link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (link === null) {
    link = document.createElement("link");
    link.rel = "icon";
    link.type = "image/svg+xml";
    document.head.append(link);
  }
  if (link.getAttribute("href") !== href) link.href = href;
}

export function useTabTitle(): void {
  const status = useDesk("status");
  const state = engineState(status, useNow());
  const { pathname } = useLocation();
  const at = SCREENS.find(({ path }) => pathname === path || pathname.startsWith(`${path}/`));
  const screen = at?.label ?? "Spreadline";
  useEffect(() => {
    document.title = tabTitle(state, screen);
    showIcon(ICON[state]);
  }, [state, screen]);
}
