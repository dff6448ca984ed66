/** Navigation: a rail of icons below 1440 px, a bar at the foot of a phone. */
import { LogOut } from "lucide-react";
import { NavLink } from "react-router";

import { Logo } from "@/components/logo";
import { Button } from "@/components/ui/button";
import { Popover } from "@/components/ui/popover";
import { cn } from "@/lib/cn";
import { useDesk, useLive, useSession } from "@/lib/live";
import { testId } from "@/lib/testids";

import { SCREENS } from "./screens";

const ENVIRONMENT: Record<string, string> = { sim: "SIMULATED", paper: "PAPER" };

export function Sidebar() {
  const profile = useDesk("status")?.profile;
  const word = profile === undefined ? undefined : ENVIRONMENT[profile];
  return (
    <aside className="flex shrink-0 flex-col border-r border-line max-sm:fixed max-sm:inset-x-0 max-sm:bottom-0 max-sm:z-30 max-sm:h-14 max-sm:flex-row max-sm:border-t max-sm:border-r-0 max-sm:bg-canvas sm:sticky sm:top-0 sm:h-dvh sm:w-14 xl:w-[204px]">
      <div className="flex h-[52px] items-center gap-2.5 max-xl:justify-center max-sm:hidden xl:px-[18px]">
        <Logo />
        <span className="flex flex-col max-xl:sr-only">
          <span className="text-[14px] leading-4 font-semibold">Spreadline</span>
          {word === undefined ? null : (
            <span className="text-[10px] leading-3 font-semibold tracking-[0.06em] text-info">{word}</span>
          )}
        </span>
      </div>
      <nav aria-label="Screens" className="flex flex-1 gap-0.5 p-2.5 max-xl:px-2 max-sm:justify-around max-sm:p-1 sm:flex-col">
        {SCREENS.map(({ name, path, label, short = label, key, icon: Icon }) => (
          <NavLink
            key={name}
            to={path}
            end={path === "/"}
            title={label}
            data-testid={testId.nav(name)}
            className={({ isActive }) =>
              cn(
                "relative flex h-[34px] items-center gap-2.5 rounded-control px-3 text-text-2 transition-colors duration-[120ms] hover:bg-surface-3 max-xl:justify-center max-xl:px-0 max-sm:h-12 max-sm:min-w-0 max-sm:flex-1 max-sm:flex-col max-sm:gap-0.5 max-sm:text-micro",
                isActive &&
                  "bg-surface-2 font-medium text-text-1 sm:before:absolute sm:before:inset-y-1.5 sm:before:-left-2.5 sm:before:w-[3px] sm:before:rounded-r-full sm:before:bg-lime sm:max-xl:before:-left-2",
              )
            }
          >
            <Icon aria-hidden="true" size={17} strokeWidth={1.75} className="shrink-0" />
            <span className={cn("sm:max-xl:sr-only", short !== label && "max-sm:hidden")}>{label}</span>
            {short === label ? null : <span aria-hidden="true" className="sm:hidden">{short}</span>}
            <span aria-hidden="true" className="ml-auto font-mono text-micro text-text-3 max-xl:hidden">
              G {key}
            </span>
          </NavLink>
        ))}
      </nav>
      <UserMenu />
    </aside>
  );
}

function initials(name: string): string {
  return name.slice(0, 2).toUpperCase();
}

function UserMenu() {
  const { session } = useLive();
  const state = useSession();
  const profile = useDesk("status")?.profile;
  if (state.phase !== "signed_in" && state.phase !== "lapsed") return null;
  const { username, role } = state.user;
  const line = [role, profile].filter((part) => part !== "" && part !== undefined && part !== null).join(" · ");
  return (
    <div className="p-2.5 max-xl:p-2 max-sm:p-1">
      <Popover
        label="User"
        side="top"
        trigger={
          <button
            type="button"
            data-testid={testId.userMenu}
            aria-label={`User ${username}`}
            className="flex w-full items-center gap-2.5 rounded-control border border-line px-2.5 py-2 text-left transition-colors duration-[120ms] hover:bg-surface-3 max-xl:justify-center max-xl:border-transparent max-xl:p-1"
          >
            <span
              aria-hidden="true"
              className="grid size-[26px] shrink-0 place-items-center rounded-full bg-surface-3 text-[10px] font-semibold text-text-2"
            >
              {initials(username)}
            </span>
            <span className="flex min-w-0 flex-col max-xl:sr-only">
              <span className="truncate text-caption font-medium">{username}</span>
              <span className="truncate text-micro text-text-3">{line}</span>
            </span>
          </button>
        }
      >
        <p className="font-semibold">{username}</p>
        <p className="mb-3 text-caption text-text-3">{line === "" ? "No role" : line}</p>
        <Button className="w-full" data-testid={testId.signOut} onClick={() => void session.signOut()}>
          <LogOut aria-hidden="true" size={16} strokeWidth={1.75} />
          Sign out
        </Button>
      </Popover>
    </div>
  );
}
