/** The frame every screen sits in: sidebar, status bar, banners, content. */
import { useEffect, useState } from "react";
import { Outlet, useNavigate } from "react-router";

import { BannerStack } from "@/components/banner-stack";
import { CommandStatus, PAUSE } from "@/components/command-controls";
import { localNow } from "@/lib/clock";
import { useDesk, useLive, useMayTrade } from "@/lib/live";

import { Keyboard, keysTaken } from "./keyboard";
import { KeysDialog } from "./keys-dialog";
import { SCREENS } from "./screens";
import { Sidebar } from "./sidebar";
import { StatusBar } from "./status-bar";
import { useTabTitle } from "./tab-title";

export function Frame() {
  const [killAsked, setKillAsked] = useState(false);
  const [help, setHelp] = useState(false);
  useTabTitle();
  useKeys(setKillAsked, setHelp);
  return (
    <div className="flex min-h-dvh max-sm:pb-14">
      <a
        href="#content"
        className="fixed top-2 left-2 z-50 -translate-y-20 rounded-control bg-lime px-3 py-2 font-semibold text-on-lime focus:translate-y-0"
      >
        Skip to content
      </a>
      <Sidebar />
      <div className="flex min-w-0 flex-1 flex-col">
        <StatusBar killAsked={killAsked} onKillAsk={setKillAsked} />
        {/* An open slide-over takes its room: it never lies over a banner or a row. */}
        <div className="flex min-w-0 flex-1 flex-col lg:has-[[data-sheet]]:pr-[520px]">
          <BannerStack />
          <main id="content" tabIndex={-1} className="min-w-0 flex-1 p-4 pt-3 outline-none max-sm:px-3">
            <Outlet />
          </main>
        </div>
        <DroppedFrames />
        <CommandStatus />
      </div>
      <KeysDialog open={help} onOpenChange={setHelp} />
    </div>
  );
}

/** Frames that did not fit their shape are dropped whole; the count must not be invisible. */
function DroppedFrames() {
  const dropped = useDesk("dropped") ?? 0;
  if (dropped === 0) return null;
  return (
    <p data-testid="dropped-frames" data-value={dropped} className="px-4 pb-3 text-caption text-warn">
      {dropped} unreadable {dropped === 1 ? "update was" : "updates were"} dropped since this page was opened.
    </p>
  );
}

function useKeys(onKill: (open: boolean) => void, onHelp: (open: boolean) => void): void {
  const { commands } = useLive();
  const navigate = useNavigate();
  const may = useMayTrade();
  useEffect(() => {
    const keyboard = new Keyboard();
    const press = (event: KeyboardEvent) => {
      const act = keyboard.press(
        {
          key: event.key,
          shift: event.shiftKey,
          modified: event.ctrlKey || event.metaKey || event.altKey,
          repeat: event.repeat,
          busy: keysTaken(event.target),
        },
        localNow(),
      );
      if (act === null) return;
      event.preventDefault();
      if (act.act === "pause" && may) commands.run("pause", PAUSE);
      if (act.act === "kill" && may) onKill(true);
      if (act.act === "help") onHelp(true);
      if (act.act === "banners") document.getElementById("banners")?.focus();
      if (act.act === "go") {
        const screen = SCREENS.find((one) => one.key === act.key);
        if (screen !== undefined) void navigate(screen.path);
      }
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [commands, navigate, may, onKill, onHelp]);
}
